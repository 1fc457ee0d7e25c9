import { NVLMError } from '../../core/errors.js'
import { quoted } from '../../formats/file-name.js'
import {
  type ConversationTemplate,
  conversationFormat,
  type ImageSpan,
} from '../../tokenizer/conversation-template.js'
import type { PromptFormat } from '../../tokenizer/prompt-format.js'
import { chatMLTemplate } from '../chatml.js'

/** What InternVL prompts depend on. */
export interface InternVLPromptOptions {
  /** `template` of config.json. */
  readonly template: string
  /** Image embeddings of one tile, 256 for the published models. */
  readonly imageTokensPerTile: number
  /** Content of the system turn where the conversation has none. Default: the template's sentence; `false`: no system turn. */
  readonly systemMessage?: string | false | undefined
}

const SYSTEM_2 =
  '你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。'
const SYSTEM_2_5 =
  '你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。'

/** @see OpenGVLab/InternVL 2410d1d `internvl_chat/internvl/conversation.py`, `register_conv_template` */
const TEMPLATES: Readonly<Record<string, ConversationTemplate>> = {
  'Hermes-2': chatMLTemplate({ turnEnd: '<|im_end|>', systemMessage: SYSTEM_2 }),
  'internlm2-chat': chatMLTemplate({ turnEnd: '<|im_end|>', systemMessage: SYSTEM_2 }),
  internvl2_5: chatMLTemplate({ turnEnd: '<|im_end|>\n', systemMessage: SYSTEM_2_5 }),
  'phi3-chat': {
    systemHeader: '<|system|>\n',
    userHeader: '<|user|>\n',
    assistantHeader: '<|assistant|>\n',
    turnEnd: '<|end|>',
    systemMessage: SYSTEM_2,
  },
}

/**
 * The prompt format of InternVL 2, 2.5 and 3: the template that config.json names; a picture is one
 * `<IMG_CONTEXT>` for each embedding between `<img>` and `</img>`.
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED for a template that is not known
 * @see OpenGVLab/InternVL `internvl_chat/internvl/model/internvl_chat/modeling_internvl_chat.py`, `chat`
 */
export function internvlPromptFormat(options: InternVLPromptOptions): PromptFormat {
  const { template: name, imageTokensPerTile } = options
  const template = Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined
  if (template === undefined) {
    const known = Object.keys(TEMPLATES).join(', ')
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `conversation template ${quoted(name)} is not known; known are ${known}`,
    )
  }
  const { systemMessage = template.systemMessage } = options
  const stops = [template.turnEnd.trim()]
  return conversationFormat({ ...template, systemMessage }, stops, imageSpan(imageTokensPerTile))
}

/**
 * The prompt format of transformers' own InternVL: ChatML without a system turn of its own, a line break after every
 * picture.
 *
 * @see huggingface/transformers v4.52 `convert_internvl_weights_to_hf.py`, `chat_template`; `processing_internvl.py`
 */
export function internvlNativePromptFormat(
  options: Pick<InternVLPromptOptions, 'imageTokensPerTile' | 'systemMessage'>,
): PromptFormat {
  const { imageTokensPerTile, systemMessage = false } = options
  const template = chatMLTemplate({ turnEnd: '<|im_end|>\n', systemMessage })
  const image = { ...imageSpan(imageTokensPerTile), lineBreak: 'always' } as const
  return conversationFormat(template, ['<|im_end|>'], image)
}

function imageSpan(imageTokensPerTile: number): ImageSpan {
  const token = '<IMG_CONTEXT>'
  const write = (numTiles: number) => [
    { text: `<img>${token.repeat(imageTokensPerTile * numTiles)}</img>`, isControl: true },
  ]
  return { token, write }
}
