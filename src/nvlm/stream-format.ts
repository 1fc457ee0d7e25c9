import { type ErrorCode, NVLMError } from '../core/errors.js'
import type { PartIterator } from './part-readers.js'
import type { StreamPart } from './stream-parts.js'

/**
 * How a generation is written as bytes.
 *
 * - `text`: the text alone. A failure errors the stream.
 * - `sse`: server-sent events, one `data:` line of JSON a part, at the end `data: [DONE]`.
 * - `parts`: one line of JSON a part.
 *
 * In `sse` and `parts` a failure is a last part `{ type: 'error', code, message }`; text parts come without `snapshot`.
 */
export type StreamFormat = 'text' | 'sse' | 'parts'

/** Options of `toReadableStream`. */
export interface ReadableStreamOptions {
  /** Default `text`; for `toResponse` default `sse`. */
  readonly format?: StreamFormat | undefined
  /**
   * What a reader of `sse` or `parts` is told about a failure. Default: no more than that it failed, because messages
   * may name files of this machine.
   */
  readonly onError?: ((error: unknown) => string) | undefined
}

/** Options of `toResponse`. */
export interface ResponseOptions extends ReadableStreamOptions {
  /** Default 200. */
  readonly status?: number | undefined
  /** Added to those of the format; the same name replaces. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The last part of a stream that failed. */
export interface ErrorPart {
  readonly type: 'error'
  /** `ABORTED` if the caller stopped it, `INTERNAL` for what is no NVLMError. */
  readonly code: ErrorCode | 'ABORTED' | 'INTERNAL'
  readonly message: string
}

/** Media types of the formats. */
export const CONTENT_TYPES: Readonly<Record<StreamFormat, string>> = {
  text: 'text/plain; charset=utf-8',
  sse: 'text/event-stream; charset=utf-8',
  parts: 'application/x-ndjson; charset=utf-8',
}

/**
 * Bytes of a run. Nothing is read ahead of the consumer; cancelling the stream leaves the run.
 *
 * @param parts - text only for the format `text`
 * @param isAborted - did the caller stop the run?
 */
export function createByteStream(
  parts: PartIterator,
  options: ReadableStreamOptions,
  isAborted: () => boolean,
): ReadableStream<Uint8Array> {
  const { format = 'text', onError = describeFailure } = options
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const write = (text: string) => controller.enqueue(encoder.encode(text))
        try {
          const { value: part } = await parts.next()
          if (part !== undefined) write(encodePart(part, format))
          else {
            if (format === 'sse') write('data: [DONE]\n\n')
            controller.close()
          }
        } catch (error) {
          if (format === 'text') throw error
          write(encodePart(errorPart(error, onError, isAborted()), format))
          controller.close()
        }
      },
      async cancel() {
        await parts.return()
      },
    },
    { highWaterMark: 0 },
  )
}

function encodePart(part: StreamPart | ErrorPart, format: StreamFormat): string {
  if (part.type === 'text') {
    if (format === 'text') return part.text
    part = { type: 'text', text: part.text } as StreamPart
  }
  const json = JSON.stringify(part)
  return format === 'sse' ? `data: ${json}\n\n` : `${json}\n`
}

function errorPart(error: unknown, onError: (error: unknown) => string, isAborted: boolean): ErrorPart {
  const code = isAborted ? 'ABORTED' : NVLMError.isInstance(error) ? error.code : 'INTERNAL'
  return { type: 'error', code, message: onError(error) }
}

function describeFailure(): string {
  return 'the answer could not be finished'
}
