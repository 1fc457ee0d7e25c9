import type { ToolCallMessagePart } from '../tokenizer/tools.js'
import type { Answering } from './answering.js'
import type { ApiError } from './api-error.js'
import type { Choice } from './choice-run.js'
import type { EventWriter } from './event-stream.js'
import type { ResponsesEcho } from './responses-request.js'

type Item = Readonly<Record<string, unknown>>

/** The whole answer as one object. */
export async function renderResponse({ runs, modelId }: Answering, echo: ResponsesEcho): Promise<object> {
  const head = heading(echo, modelId)
  const choice = await runs[0]!.result()
  const hasMessage = choice.text !== '' || choice.toolCalls.length === 0
  const output = [
    ...(hasMessage ? [messageItem(newId('msg'), choice.text, 'completed')] : []),
    ...choice.toolCalls.map(call => callItem(newId('fc'), call, 'completed')),
  ]
  return finished(head, output, choice)
}

/** Writes one answer as events, in OpenAI's order. */
export class ResponseWriter {
  private sequence = 0
  private readonly output: Item[] = []
  private readonly head: Item

  constructor(echo: ResponsesEcho, modelId: string) {
    this.head = heading(echo, modelId)
  }

  async write({ runs: [run] }: Answering, events: EventWriter): Promise<void> {
    const send = (type: string, fields: object) => events.write(...this.event(type, fields))
    const response = { ...this.head, status: 'in_progress', output: [], usage: null }
    await send('response.created', { response })
    await send('response.in_progress', { response })
    const message = new MessageEvents(send, this.output.length)
    for await (const { text } of run!.pieces()) await message.add(text)
    const choice = await run!.result()
    if (choice.text.startsWith(message.text)) await message.add(choice.text.slice(message.text.length))
    if (choice.toolCalls.length === 0) await message.open()
    const item = await message.close()
    if (item) this.output.push(item)
    for (const call of choice.toolCalls) {
      this.output.push(await writeCall(send, this.output.length, call))
    }
    const result = finished(this.head, this.output, choice)
    await send(`response.${result.status}`, { response: result })
  }

  /** `error` beside OpenAI's fields is what makes its client throw. */
  errorEvent(error: ApiError): readonly [data: object, event: string] {
    const { message, param = null, code = null } = error
    return this.event('error', { code, message, param, ...error.body })
  }

  private event(type: string, fields: object): readonly [data: object, event: string] {
    return [{ type, sequence_number: this.sequence++, ...fields }, type]
  }
}

type Send = (type: string, fields: object) => Promise<void>

/** The events of the text of an answer; none if there is no text. */
class MessageEvents {
  text = ''
  private readonly id = newId('msg')
  private isOpen = false

  constructor(
    private readonly send: Send,
    private readonly outputIndex: number,
  ) {}

  async open(): Promise<void> {
    if (this.isOpen) return
    this.isOpen = true
    const item = { ...messageItem(this.id, '', 'in_progress'), content: [] }
    await this.send('response.output_item.added', { output_index: this.outputIndex, item })
    await this.send('response.content_part.added', { ...this.place, part: textPart('') })
  }

  async add(delta: string): Promise<void> {
    if (delta === '') return
    await this.open()
    this.text += delta
    await this.send('response.output_text.delta', { ...this.place, delta, logprobs: [] })
  }

  async close(): Promise<Item | undefined> {
    if (!this.isOpen) return undefined
    const { text, place } = this
    const item = messageItem(this.id, text, 'completed')
    await this.send('response.output_text.done', { ...place, text, logprobs: [] })
    await this.send('response.content_part.done', { ...place, part: textPart(text) })
    await this.send('response.output_item.done', { output_index: this.outputIndex, item })
    return item
  }

  private get place(): object {
    return { item_id: this.id, output_index: this.outputIndex, content_index: 0 }
  }
}

async function writeCall(send: Send, outputIndex: number, call: ToolCallMessagePart): Promise<Item> {
  const id = newId('fc')
  const { name, arguments: args } = call.function
  const place = { item_id: id, output_index: outputIndex }
  const opened = callItem(id, { ...call, function: { name, arguments: '' } }, 'in_progress')
  const item = callItem(id, call, 'completed')
  await send('response.output_item.added', { output_index: outputIndex, item: opened })
  await send('response.function_call_arguments.delta', { ...place, delta: args })
  await send('response.function_call_arguments.done', { ...place, name, arguments: args })
  await send('response.output_item.done', { output_index: outputIndex, item })
  return item
}

function heading(echo: ResponsesEcho, model: string): Item {
  return {
    id: newId('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model,
    error: null,
    incomplete_details: null,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    truncation: 'disabled',
    user: null,
    ...echo,
  }
}

/** Why an answer is not complete, in OpenAI's words. */
const INCOMPLETE: Readonly<Record<string, string>> = {
  length: 'max_output_tokens',
  'content-filter': 'content_filter',
}

function finished(head: Item, output: readonly Item[], { finishReason, usage }: Choice) {
  const reason = INCOMPLETE[finishReason]
  return {
    ...head,
    status: reason === undefined ? 'completed' : 'incomplete',
    incomplete_details: reason === undefined ? null : { reason },
    output,
    usage: {
      input_tokens: usage.promptTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.completionTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.totalTokens,
    },
  }
}

function messageItem(id: string, text: string, status: string): Item {
  return { id, type: 'message', status, role: 'assistant', content: [textPart(text)] }
}

function textPart(text: string): Item {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

function callItem(
  id: string,
  { id: callId, function: { name, arguments: args } }: ToolCallMessagePart,
  status: string,
): Item {
  return { id, type: 'function_call', status, call_id: callId, name, arguments: args }
}

function newId(kind: string): string {
  return `${kind}_${globalThis.crypto.randomUUID().replaceAll('-', '')}`
}
