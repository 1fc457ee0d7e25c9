import type { OpenedImage } from '../../platform/image-input.js'
import { nodeImageDecoder } from '../../platform/node/image-decoder.js'
import type { ContentPart, Message } from '../../tokenizer/messages.js'
import type { PromptRequest } from '../engine-client.js'
import { isPrepared } from '../pictures.js'

/** A request that can be posted to another thread, with the buffers to hand over. */
export interface PortableRequest<Request> {
  readonly request: Request
  /** Buffers made for this message; the caller's own stay as they are. */
  readonly transfer: readonly ArrayBuffer[]
}

/** The tiler in the worker checks the model's limits; here is nothing to add. */
const NO_LIMITS = { maxBytes: Number.MAX_SAFE_INTEGER, maxPixels: Number.MAX_SAFE_INTEGER }

/**
 * Replace the pictures of a request by ones that can cross threads: paths and URLs as text, bytes and pixels as copies.
 *
 * @throws {NVLMError} IMAGE_INPUT for something that is no picture, IMAGE_DECODE if a sharp instance fails
 */
export async function makePortable<Request extends PromptRequest>(
  request: Request,
): Promise<PortableRequest<Request>> {
  const transfer: ArrayBuffer[] = []
  const messages: Message[] = []
  for (const message of request.messages) {
    if (message.role !== 'user' || typeof message.content === 'string') {
      messages.push(message)
      continue
    }
    const content: ContentPart[] = []
    for (const part of message.content) content.push(await portablePart(part, transfer))
    messages.push({ role: 'user', content })
  }
  return { request: { ...request, messages }, transfer }
}

async function portablePart(part: ContentPart, transfer: ArrayBuffer[]): Promise<ContentPart> {
  if (part.type !== 'image') return part
  return { ...part, image: await portableImage(part.image, transfer) }
}

async function portableImage(image: unknown, transfer: ArrayBuffer[]): Promise<unknown> {
  if (typeof image === 'string') return image
  if (image instanceof URL) return image.href
  if (isPrepared(image)) return { kind: image.kind, id: image.id }
  const opened = await readImage(image)
  if (opened.kind === 'encoded') return copyBytes(opened.bytes, transfer)
  const { width, height, data, channels } = opened.pixels
  return { width, height, channels, data: copyBytes(data, transfer) }
}

/**
 * Read a picture as far as its bytes or pixels.
 *
 * @throws {NVLMError} IMAGE_INPUT for something that is no picture, IMAGE_DECODE if a sharp instance fails
 */
export function readImage(image: unknown): Promise<OpenedImage> {
  return nodeImageDecoder.open(image as never, { limits: NO_LIMITS })
}

/** A view of a larger buffer would drag all of it along, so exactly its bytes are copied. */
function copyBytes(bytes: Uint8Array | Uint8ClampedArray, transfer: ArrayBuffer[]): Uint8Array {
  const copy = new Uint8Array(bytes)
  transfer.push(copy.buffer)
  return copy
}
