import { NVLMError } from '../../core/errors.js'
import {
  conversationFormat,
  countImages,
  type ImageSpan,
  requireConversation,
  requireTileCounts,
  writeContent,
} from '../../tokenizer/conversation-template.js'
import type { PromptFormat, PromptPiece, TileSight } from '../../tokenizer/prompt-format.js'
import { chatMLTemplate } from '../chatml.js'
import { type Fusion, numCrossTiles } from '../fusion.js'

/** What NVLM prompts depend on. */
export interface NVLMPromptOptions {
  /** Image embeddings of one tile, 256 for NVLM-D-72B. */
  readonly imageTokensPerTile: number
  /** Content of the system turn where the conversation has none. Default: the official sentence; `false`: no system turn. */
  readonly systemMessage?: string | false | undefined
  /** How pictures reach the language model; default `self-attention`, which is NVLM-D. */
  readonly fusion?: Fusion | undefined
  /** Are tiles marked by tags? Default true; the paper compares both for NVLM-D. */
  readonly tileTags?: boolean | undefined
}

/** The part of the options that is about pictures. */
type PictureOptions = Pick<NVLMPromptOptions, 'imageTokensPerTile' | 'fusion' | 'tileTags'>

const STOP_TOKENS = ['<|im_end|>']

/**
 * The prompt format of NVLM: ChatML without line breaks after `<|im_end|>`. A picture stands between `<Image>` and
 * `</Image>`: in NVLM-D its tiles, each after its tag, the thumbnail last; in NVLM-X the tags alone; in NVLM-H the thumbnail.
 *
 * With `systemMessage: false` the prompt begins with the user turn. The official `chat_without_sys_prompt` means
 * the same, but cuts its prompt at the wrong place and begins with `ssistant.<|im_end|>`.
 *
 * @see nvidia/NVLM-D-72B `modeling_nvlm_d.py`, `chat`; `conversation.py`, template "chatml"
 */
export function nvlmPromptFormat(options: NVLMPromptOptions): PromptFormat {
  const { systemMessage = 'Answer the questions.' } = options
  const template = chatMLTemplate({ turnEnd: '<|im_end|>', systemMessage })
  return conversationFormat(template, STOP_TOKENS, nvlmImageSpan(options))
}

/**
 * The prompt format for plain continuation: one user message without any role around it.
 *
 * @see nvidia/NVLM-D-72B `modeling_nvlm_d.py`, `chat_without_chat_prompt`
 */
export function nvlmCompletionFormat(options: PictureOptions): PromptFormat {
  const image = nvlmImageSpan(options)
  return {
    imageToken: image.token,
    ...(image.crossTexts && { crossTexts: image.crossTexts }),
    stopTokens: STOP_TOKENS,
    writePrompt(messages, tileCounts, tools = []) {
      if (tools.length > 0) throw new NVLMError('UNSUPPORTED', 'plain continuation knows no tools')
      const [message] = messages
      if (messages.length !== 1 || message?.role !== 'user') {
        throw new NVLMError(
          'INVALID_OPTION',
          `plain continuation takes one user message, not ${messages.length} turns`,
        )
      }
      requireConversation(messages)
      requireTileCounts(countImages(messages), tileCounts)
      const counts = tileCounts.values()
      return writeContent(message.content, () => image.write(counts.next().value!))
    },
  }
}

const IMAGE_TOKEN = '<|vision_pad|>'
const START = '<Image>'
const END = '</Image>'
const THUMBNAIL_TAG = '<tile_global_thumbnail>'

/** Tags are plain text to the tokenizer. The number of a tag is not padded, and begins anew in each picture. */
function nvlmImageSpan({ fusion = 'self-attention', ...options }: PictureOptions): ImageSpan {
  return imageSpans[fusion](options)
}

const imageSpans: Readonly<Record<Fusion, (options: Omit<PictureOptions, 'fusion'>) => ImageSpan>> = {
  'self-attention'({ imageTokensPerTile, tileTags = true }) {
    const tile = IMAGE_TOKEN.repeat(imageTokensPerTile)
    const write = (numTiles: number) => {
      const tags = tileTags ? tagsOf(numTiles) : new Array<string>(numTiles).fill('')
      return [{ text: `${START}${tags.map(tag => tag + tile).join('')}${END}`, isControl: true }]
    }
    return { token: IMAGE_TOKEN, write }
  },
  'cross-attention'({ tileTags = true }) {
    const write = (numTiles: number) => [
      part(START, 'earlier'),
      ...(tileTags ? tagsOf(numTiles).map(part) : []),
      part(END, 'all'),
    ]
    return { token: undefined, write }
  },
  hybrid({ imageTokensPerTile, tileTags = true }) {
    const thumbnail = part(IMAGE_TOKEN.repeat(imageTokensPerTile), 'all')
    const tag = tileTags ? [part(THUMBNAIL_TAG, 'all')] : []
    const write = () => [part(START, 'earlier'), ...tag, thumbnail, part(END, 'all')]
    const crossTexts = (numTiles: number) => tagsOf(numTiles).slice(0, numCrossTiles('hybrid', numTiles))
    return { token: IMAGE_TOKEN, write, ...(tileTags && { crossTexts }) }
  },
}

/** One for each tile, the thumbnail last; a picture of one tile is its own thumbnail. */
function tagsOf(numTiles: number): readonly string[] {
  return [...Array.from({ length: numTiles - 1 }, (_, index) => `<tile_${index + 1}>`), THUMBNAIL_TAG]
}

function part(text: string, sees: TileSight): PromptPiece {
  return { text, isControl: true, sees }
}
