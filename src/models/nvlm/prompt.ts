import { NVLMError } from '../../core/errors.js'
import {
  conversationFormat,
  countImages,
  type ImageSpan,
  requireConversation,
  requireTileCounts,
  writeContent,
} from '../../tokenizer/conversation-template.js'
import type { PromptFormat } from '../../tokenizer/prompt-format.js'
import { chatMLTemplate } from '../chatml.js'

/** What NVLM prompts depend on. */
export interface NVLMPromptOptions {
  /** Image embeddings of one tile, 256 for NVLM-D-72B. */
  readonly imageTokensPerTile: number
  /** Content of the system turn where the conversation has none. Default: the official sentence; `false`: no system turn. */
  readonly systemMessage?: string | false | undefined
}

const STOP_TOKENS = ['<|im_end|>']

/**
 * The prompt format of NVLM-D: ChatML without line breaks after `<|im_end|>`; a picture is its tiles between
 * `<Image>` and `</Image>`, each after its tag, the thumbnail last.
 *
 * With `systemMessage: false` the prompt begins with the user turn. The official `chat_without_sys_prompt` means
 * the same, but cuts its prompt at the wrong place and begins with `ssistant.<|im_end|>`.
 *
 * @see nvidia/NVLM-D-72B `modeling_nvlm_d.py`, `chat`; `conversation.py`, template "chatml"
 */
export function nvlmPromptFormat(options: NVLMPromptOptions): PromptFormat {
  const { imageTokensPerTile, systemMessage = 'Answer the questions.' } = options
  const template = chatMLTemplate({ turnEnd: '<|im_end|>', systemMessage })
  return conversationFormat(template, STOP_TOKENS, nvlmImageSpan(imageTokensPerTile))
}

/**
 * The prompt format for plain continuation: one user message without any role around it.
 *
 * @see nvidia/NVLM-D-72B `modeling_nvlm_d.py`, `chat_without_chat_prompt`
 */
export function nvlmCompletionFormat(options: Pick<NVLMPromptOptions, 'imageTokensPerTile'>): PromptFormat {
  const image = nvlmImageSpan(options.imageTokensPerTile)
  return {
    imageToken: image.token,
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

/** Tags are plain text to the tokenizer. The number of a tag is not padded, and begins anew in each picture. */
function nvlmImageSpan(imageTokensPerTile: number): ImageSpan {
  const token = '<|vision_pad|>'
  const tile = token.repeat(imageTokensPerTile)
  return {
    token,
    write(numTiles) {
      const tags = Array.from({ length: numTiles - 1 }, (_, index) => `<tile_${index + 1}>`)
      return `<Image>${[...tags, '<tile_global_thumbnail>'].map(tag => tag + tile).join('')}</Image>`
    },
  }
}
