/** One piece of a user message. */
export type ContentPart<Image = unknown> =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: Image }
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
  | { readonly role: 'assistant'; readonly content: string }
