import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { ImageInput, PixelsLike } from '../platform/image-input.js'
import type { ContentPart, Message } from '../tokenizer/messages.js'
import { crc32 } from './crc32.js'

/**
 * A saved chat: `NVLMCHAT`, format version and header length as little-endian uint32, a JSON header with the messages, the
 * bytes of their pictures one after the other, and the CRC-32 of all that as uint32.
 */
const MAGIC = 'NVLMCHAT'
const VERSION = 1
const FIXED_BYTES = MAGIC.length + 8
const CRC_BYTES = 4

const count = z.int().min(1)
const place = { offset: z.int().min(0), length: z.int().min(0) }
const pictureSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('encoded'), ...place }),
  z.strictObject({
    kind: z.literal('pixels'),
    ...place,
    width: count,
    height: count,
    channels: z.union([z.literal(1), z.literal(3), z.literal(4)]).optional(),
  }),
])
const tilesSchema = z.strictObject({
  maxTiles: count.optional(),
  minTiles: count.optional(),
  useThumbnail: z.boolean().optional(),
})
const toolCallSchema = z.strictObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
})
const headerSchema = z.strictObject({
  modelId: z.string(),
  messages: z.array(
    z.discriminatedUnion('role', [
      z.strictObject({ role: z.literal('system'), content: z.string() }),
      z.strictObject({
        role: z.literal('assistant'),
        content: z.string(),
        tool_calls: z.array(toolCallSchema).optional(),
      }),
      z.strictObject({ role: z.literal('tool'), content: z.string(), tool_call_id: z.string() }),
      z.strictObject({
        role: z.literal('user'),
        content: z.union([
          z.string(),
          z.array(
            z.discriminatedUnion('type', [
              z.strictObject({ type: z.literal('text'), text: z.string() }),
              z.strictObject({
                type: z.literal('image'),
                image: pictureSchema,
                tiles: tilesSchema.optional(),
              }),
            ]),
          ),
        ]),
      }),
    ]),
  ),
})

type Header = z.output<typeof headerSchema>
type SavedMessage = Header['messages'][number]
type SavedPicture = z.output<typeof pictureSchema>

/**
 * Write messages whose pictures are bytes or raw pixels.
 *
 * @throws {NVLMError} UNSUPPORTED for prepared images, whose content is not there
 */
export function encodeChat(modelId: string, messages: readonly Message[]): Uint8Array {
  const blobs: Uint8Array[] = []
  let offset = 0
  const store = (data: Uint8Array | Uint8ClampedArray) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    blobs.push(bytes)
    const placed = { offset, length: bytes.length }
    offset += bytes.length
    return placed
  }
  const savePicture = (image: unknown): SavedPicture => {
    if (image instanceof Uint8Array) return { kind: 'encoded', ...store(image) }
    if (!isPixels(image)) throw unsaveable('a prepared image, whose content is with the model only')
    const { width, height, channels, data } = image
    return { kind: 'pixels', ...store(data), width, height, ...(channels && { channels }) }
  }
  const header: Header = {
    modelId,
    messages: messages.map(message => {
      if (message.role !== 'user' || typeof message.content === 'string') return message as SavedMessage
      return { role: 'user', content: message.content.map(part => savePart(part, savePicture)) }
    }),
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  return assemble(json, blobs, offset)
}

function savePart(part: ContentPart, savePicture: (image: unknown) => SavedPicture) {
  if (part.type === 'text') return part
  if (part.type !== 'image') throw unsaveable(`a part of type "${part.type}"`)
  return { ...part, image: savePicture(part.image) }
}

function assemble(json: Uint8Array, blobs: readonly Uint8Array[], blobBytes: number): Uint8Array {
  const bytes = new Uint8Array(FIXED_BYTES + json.length + blobBytes + CRC_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(new TextEncoder().encode(MAGIC))
  view.setUint32(MAGIC.length, VERSION, true)
  view.setUint32(MAGIC.length + 4, json.length, true)
  bytes.set(json, FIXED_BYTES)
  let at = FIXED_BYTES + json.length
  for (const blob of blobs) {
    bytes.set(blob, at)
    at += blob.length
  }
  view.setUint32(at, crc32(bytes.subarray(0, at)), true)
  return bytes
}

/**
 * Read what `encodeChat` wrote. The bytes may come from anywhere: everything is checked.
 *
 * @throws {NVLMError} INVALID_OPTION saying what is wrong with them
 */
export function decodeChat(saved: Uint8Array): readonly Message<ImageInput>[] {
  if (!(saved instanceof Uint8Array)) throw unreadable('expected the Uint8Array that save() gave')
  const { header, blobs } = split(saved)
  const picture = (image: SavedPicture): ImageInput => {
    const { offset, length } = image
    if (offset + length > blobs.length) throw unreadable('a picture lies outside of the file')
    const data = blobs.slice(offset, offset + length)
    if (image.kind === 'encoded') return data
    const { width, height, channels } = image
    return { data, width, height, ...(channels && { channels }) }
  }
  return header.messages.map((message): Message<ImageInput> => {
    if (message.role !== 'user' || typeof message.content === 'string') return message as Message<ImageInput>
    const content = message.content.map(
      (part): ContentPart<ImageInput> =>
        part.type === 'text' ? part : { ...part, image: picture(part.image) },
    )
    return { role: 'user', content }
  })
}

function split(saved: Uint8Array): { readonly header: Header; readonly blobs: Uint8Array } {
  const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength)
  const isLongEnough = saved.length >= FIXED_BYTES + CRC_BYTES
  if (!isLongEnough || new TextDecoder().decode(saved.subarray(0, MAGIC.length)) !== MAGIC) {
    throw unreadable('they are no saved chat')
  }
  const version = view.getUint32(MAGIC.length, true)
  if (version !== VERSION) throw unreadable(`format version ${version}, this library reads ${VERSION}`)
  const end = saved.length - CRC_BYTES
  if (crc32(saved.subarray(0, end)) !== view.getUint32(end, true)) {
    throw unreadable('they are damaged or cut short (the checksum differs)')
  }
  const headerEnd = FIXED_BYTES + view.getUint32(MAGIC.length + 4, true)
  if (headerEnd > end) throw unreadable('the header is longer than the file')
  const header = parseHeader(saved.subarray(FIXED_BYTES, headerEnd))
  return { header, blobs: saved.subarray(headerEnd, end) }
}

function parseHeader(json: Uint8Array): Header {
  try {
    return headerSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)))
  } catch (cause) {
    throw unreadable('the header is not valid', cause)
  }
}

function isPixels(image: unknown): image is PixelsLike {
  return typeof image === 'object' && image !== null && 'data' in image && 'width' in image
}

function unsaveable(what: string): NVLMError {
  return new NVLMError('UNSUPPORTED', `save: the chat has ${what}`, {
    hint: 'Give the picture itself to chats that are to be saved.',
  })
}

function unreadable(why: string, cause?: unknown): NVLMError {
  return new NVLMError('INVALID_OPTION', `chat: option "restore": ${why}`, { cause })
}
