import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One kind of request, and what must come of it. */
export interface Ask {
  readonly name: string
  readonly path: string
  readonly body: object
  /** The status of its answer; its text is compared with what the same request gave when it was alone. */
  readonly status: number
  /** The error's code, for requests that must be refused. */
  readonly code?: string
}

const CHAT = '/v1/chat/completions'
const model = 'nvlm-tiny'

function picture(name: string): string {
  const path = fileURLToPath(new URL(`../../../examples/pictures/${name}`, import.meta.url))
  return `data:image/png;base64,${readFileSync(path, 'base64')}`
}

function about(url: string, text: string): readonly object[] {
  return [
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url } },
        { type: 'text', text },
      ],
    },
  ]
}

const colours = {
  type: 'object',
  properties: { colour: { enum: ['red', 'blue'] } },
  required: ['colour'],
  additionalProperties: false,
}

const sign = about(picture('sign.png'), 'What does the sign say?')
const shapes = about(picture('shapes.png'), 'What shapes are there?')
const text = [{ role: 'user', content: 'How are you?' }]

function chat(name: string, fields: object): Ask {
  return { name, path: CHAT, status: 200, body: { model, ...fields } }
}

/** Requests that must be answered, each time with the same words. */
export const goodAsks: readonly Ask[] = [
  chat('picture', { messages: sign }),
  chat('picture, streamed', { messages: sign, stream: true }),
  chat('other picture, streamed', { messages: shapes, stream: true }),
  chat('text', { messages: text, max_tokens: 40 }),
  chat('drawn by seed, 3 answers', { messages: shapes, n: 3, temperature: 1, seed: 11, max_tokens: 12 }),
  chat('schema', {
    messages: text,
    response_format: { type: 'json_schema', json_schema: { name: 'colour', schema: colours } },
  }),
  chat('tool, streamed', {
    messages: text,
    stream: true,
    tools: [{ type: 'function', function: { name: 'paint', parameters: colours } }],
    tool_choice: 'required',
  }),
  {
    name: 'responses, streamed',
    path: '/v1/responses',
    status: 200,
    body: { model, input: 'How are you?', max_output_tokens: 30, stream: true },
  },
]

function refused(name: string, status: number, code: string, fields: object): Ask {
  return { name, path: CHAT, status, code, body: { model, messages: text, ...fields } }
}

const noPicture = `data:image/png;base64,${Buffer.from('no picture at all').toString('base64')}`
const halfPicture = picture('sign.png').slice(0, 400)

/** Requests that must be refused, without harm to others. */
export const badAsks: readonly Ask[] = [
  refused('no picture', 400, 'invalid_image', { messages: about(noPicture, 'What?') }),
  refused('half a picture', 400, 'invalid_image', { messages: about(halfPicture, 'What?') }),
  refused('picture by URL', 400, 'unsupported_parameter', {
    messages: about('http://169.254.169.254/latest/meta-data', 'What?'),
  }),
  refused('prompt too long', 400, 'context_length_exceeded', {
    messages: [{ role: 'user', content: 'word '.repeat(6000) }],
  }),
  refused('body too large', 413, 'body_too_large', {
    messages: [{ role: 'user', content: 'x'.repeat(33 * 1024 * 1024) }],
  }),
  refused('unknown field', 400, 'unknown_parameter', { beam_width: 3 }),
  refused('deep schema', 400, 'invalid_json', { metadata: JSON.parse('['.repeat(150) + ']'.repeat(150)) }),
]

/** A long answer to walk away from. */
export const longAsk: Ask = {
  ...chat('long', { messages: text, stream: true, max_tokens: 1500, min_tokens: 1500 }),
}

const QUESTIONS = ['How are you?', 'What shapes are there?', 'What does the sign say?', 'Describe it.']

/** Requests of many kinds: 32 questions about pictures and none, of up to 35 tokens. */
export function mixedAsks(): readonly Ask[] {
  const pictures = [undefined, picture('sign.png'), picture('shapes.png')]
  return Array.from({ length: 32 }, (_, index) => {
    const [url, question] = [pictures[index % 3], `${'Please. '.repeat(index % 5)}${QUESTIONS[index % 4]}`]
    const messages = url ? about(url, question) : [{ role: 'user', content: question }]
    const tokens = { max_tokens: 4 + index, min_tokens: index % 2 === 0 ? 4 + index : 1 }
    return chat(`mixed ${index}`, { messages, ...tokens })
  })
}
