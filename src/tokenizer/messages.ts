import type { ToolCallMessagePart } from './tools.js'

/** How one picture is cut, for whoever cuts it: the tokenizer only writes as many places as it is told. */
export interface PictureTiles {
  readonly maxTiles?: number | undefined
  readonly minTiles?: number | undefined
  readonly useThumbnail?: boolean | undefined
}

/** One piece of a user message. */
export type ContentPart<Image = unknown> =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: Image; readonly tiles?: PictureTiles | undefined }
  | {
      readonly type: 'image_url'
      readonly image_url:
        | string
        | { readonly url: string; readonly detail?: 'auto' | 'low' | 'high' | undefined }
    }

/** A conversation turn in the OpenAI shape. `Image` is whatever the image tiler takes. */
export type Message<Image = unknown> =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: string | readonly ContentPart<Image>[] }
  | {
      readonly role: 'assistant'
      readonly content: string
      /** Calls of tools, behind the text. */
      readonly tool_calls?: readonly ToolCallMessagePart[] | undefined
    }
  /** What a tool gave back. */
  | { readonly role: 'tool'; readonly content: string; readonly tool_call_id: string }
