import type { OpenedImage } from '../../platform/image-input.js'
import type { ContentPart, Message } from '../../tokenizer/messages.js'
import type { PromptRequest } from '../engine-client.js'
import { isPrepared } from '../pictures.js'
import type { Transfer } from './engine-port.js'

/** A picture that can be posted to another thread. */
export interface PortablePicture {
  readonly image: unknown
  /** What was made for this message and is handed over; the caller's own stays as it is. */
  readonly transfer: Transfer
}

/** Makes the pictures of a machine ready for another thread. */
export interface PictureCourier {
  /**
   * @throws {NVLMError} IMAGE_INPUT for something that is no picture, IMAGE_DECODE if it can't be read; the signal's reason
   * on abort
   */
  pack(image: unknown, signal: AbortSignal): Promise<PortablePicture>
  /**
   * Read a picture as far as its bytes or pixels.
   *
   * @throws {NVLMError} as `pack`
   */
  open(image: unknown, signal: AbortSignal): Promise<OpenedImage>
}

/** A request that can be posted to another thread. */
export interface PortableRequest<Request> {
  readonly request: Request
  readonly transfer: Transfer
}

/**
 * Replace the pictures of a request by ones that can cross threads.
 *
 * @throws {NVLMError} IMAGE_INPUT for something that is no picture, IMAGE_DECODE if one can't be read; the signal's reason
 * on abort
 */
export async function makePortable<Request extends PromptRequest>(
  request: Request,
  courier: PictureCourier,
  signal: AbortSignal,
): Promise<PortableRequest<Request>> {
  const pack = (image: unknown) => courier.pack(image, signal)
  const transfer: object[] = []
  const messages: Message[] = []
  for (const message of request.messages) {
    if (message.role !== 'user' || typeof message.content === 'string') {
      messages.push(message)
      continue
    }
    const content: ContentPart[] = []
    for (const part of message.content) content.push(await portablePart(part, pack, transfer))
    messages.push({ role: 'user', content })
  }
  return { request: { ...request, messages }, transfer }
}

async function portablePart(
  part: ContentPart,
  pack: (image: unknown) => Promise<PortablePicture>,
  transfer: object[],
): Promise<ContentPart> {
  if (part.type !== 'image') return part
  const { image } = part
  if (isPrepared(image)) return { ...part, image: { kind: image.kind, id: image.id } }
  const packed = await pack(image)
  transfer.push(...packed.transfer)
  return { ...part, image: packed.image }
}

/** Bytes or pixels as a copy: exactly theirs, since a view of a larger buffer would drag all of it along. */
export function packOpened(opened: OpenedImage): PortablePicture {
  const bytes = new Uint8Array(opened.kind === 'encoded' ? opened.bytes : opened.pixels.data)
  const transfer = [bytes.buffer]
  if (opened.kind === 'encoded') return { image: bytes, transfer }
  const { width, height, channels } = opened.pixels
  return { image: { width, height, channels, data: bytes }, transfer }
}
