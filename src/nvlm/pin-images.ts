import type { ImageInput, OpenedImage } from '../platform/image-input.js'
import type { ContentPart, Message } from '../tokenizer/messages.js'
import { isPrepared } from './pictures.js'

/**
 * A message whose pictures no longer depend on files, blobs or buffers of others: bytes and pixels of its own, cut as they are
 * now. Prepared images stay handles.
 *
 * @throws {NVLMError} IMAGE_* for a picture that can't be read
 */
export async function pinImages(
  message: Message<ImageInput>,
  open: (image: unknown) => Promise<OpenedImage>,
): Promise<Message<ImageInput>> {
  if (message.role !== 'user' || typeof message.content === 'string') return message
  const content: ContentPart<ImageInput>[] = []
  for (const part of message.content) {
    if (part.type !== 'image') content.push(part)
    else content.push({ type: 'image', image: await pin(part.image, open), tiles: part.tiles ?? {} })
  }
  return { role: 'user', content }
}

async function pin(image: ImageInput, open: (image: unknown) => Promise<OpenedImage>): Promise<ImageInput> {
  if (isPrepared(image)) return image
  const opened = await open(image)
  if (opened.kind === 'encoded') return new Uint8Array(opened.bytes)
  const { width, height, channels, data } = opened.pixels
  return { width, height, ...(channels && { channels }), data: new Uint8Array(data) }
}
