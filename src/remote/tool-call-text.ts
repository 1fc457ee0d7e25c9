import { NVLMError } from '../core/errors.js'
import type { ToolCallDelta } from './chat-chunk.js'

/** Most characters of all calls of an answer. */
const MAX_CHARS = 1_048_576

interface PartialCall {
  name: string
  arguments: string
}

/**
 * Puts the tool calls of a server together and writes them as the model does, so that everything behind is the same as
 * for a model in this process.
 *
 * @see `createToolCallFilter`
 */
export class ToolCallText {
  private readonly calls = new Map<number, PartialCall>()
  private numChars = 0

  /** @throws {NVLMError} REMOTE_FAILED for calls without end */
  push(deltas: readonly ToolCallDelta[]): void {
    for (const { index, function: piece } of deltas) {
      const place = index ?? this.calls.size
      const call = this.calls.get(place) ?? { name: '', arguments: '' }
      call.name += piece?.name ?? ''
      call.arguments += piece?.arguments ?? ''
      this.numChars += (piece?.name ?? '').length + (piece?.arguments ?? '').length
      this.calls.set(place, call)
    }
    if (this.numChars <= MAX_CHARS) return
    throw new NVLMError('REMOTE_FAILED', `the server sent tool calls of more than ${MAX_CHARS} characters`)
  }

  /** @param isCut - the last call lacks its end */
  text(isCut: boolean): string {
    const calls = [...this.calls.values()]
    return calls
      .map((call, index) => {
        const source = JSON.stringify({ name: call.name, arguments: call.arguments })
        // inside of a call its closing tag must not be spelled out
        const inside = source.replaceAll('<', '\\u003c')
        return `<tool_call>\n${inside}\n${isCut && index === calls.length - 1 ? '' : '</tool_call>'}`
      })
      .join('\n')
  }
}
