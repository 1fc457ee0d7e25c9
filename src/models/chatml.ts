import { type ConversationTemplate, conversationFormat } from '../tokenizer/conversation-template.js'
import type { PromptFormat } from '../tokenizer/prompt-format.js'

/** What ChatML's users differ in. */
export interface ChatMLOptions {
  /** `<|im_end|>`, with or without a line break after it. */
  readonly turnEnd: string
  /** Content of the system turn where the conversation has none; `false` for no system turn at all. */
  readonly systemMessage: string | false
}

/** The ChatML template: `<|im_start|>role`, a line break, the content, `<|im_end|>`. */
export function chatMLTemplate({ turnEnd, systemMessage }: ChatMLOptions): ConversationTemplate {
  return {
    systemHeader: '<|im_start|>system\n',
    userHeader: '<|im_start|>user\n',
    assistantHeader: '<|im_start|>assistant\n',
    turnEnd,
    systemMessage,
  }
}

/**
 * The text-only prompt format of plain Qwen2 checkpoints.
 *
 * @see Qwen/Qwen2-0.5B-Instruct `tokenizer_config.json` (chat_template), `generation_config.json` (eos_token_id)
 */
export function chatMLPromptFormat(
  options: { readonly systemMessage?: string | false | undefined } = {},
): PromptFormat {
  const { systemMessage = 'You are a helpful assistant.' } = options
  const template = chatMLTemplate({ turnEnd: '<|im_end|>\n', systemMessage })
  return conversationFormat(template, ['<|im_end|>', '<|endoftext|>'])
}
