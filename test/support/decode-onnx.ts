import { type OnnxDataType, onnxDataTypes } from '../../src/formats/onnx/onnx-model.js'

/** A tensor's name and element type, as an `.onnx` file declares it. */
export interface DecodedTensor {
  readonly name: string
  readonly type: OnnxDataType
}

export interface DecodedInitializer extends DecodedTensor {
  readonly dims: readonly number[]
  /** Bytes, inline or in another file. */
  readonly byteLength: number
}

export interface DecodedNode {
  readonly opType: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Attributes that are one integer. */
  readonly ints: Readonly<Record<string, number>>
}

/** What an `.onnx` file says. */
export interface DecodedModel {
  readonly inputs: readonly DecodedTensor[]
  readonly outputs: readonly DecodedTensor[]
  readonly initializers: readonly DecodedInitializer[]
  readonly nodes: readonly DecodedNode[]
}

/** Values of each field number, in their order: numbers, or bytes of texts and messages. */
type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>

/**
 * Read an `.onnx` file with nothing of the code that writes it.
 *
 * @see onnx/onnx.proto (field numbers are from there)
 */
export function decodeOnnx(bytes: Uint8Array): DecodedModel {
  const graph = readFields(message(readFields(bytes), 7))
  return {
    inputs: messages(graph, 11).map(readValueInfo),
    outputs: messages(graph, 12).map(readValueInfo),
    initializers: messages(graph, 5).map(readInitializer),
    nodes: messages(graph, 1).map(fields => ({
      opType: text(fields, 4),
      inputs: (fields.get(1) ?? []).map(decodeText),
      outputs: (fields.get(2) ?? []).map(decodeText),
      ints: Object.fromEntries(
        messages(fields, 5).flatMap(attribute => {
          return attribute.get(20)?.[0] === 2 ? [[text(attribute, 1), Number(attribute.get(3)![0])]] : []
        }),
      ),
    })),
  }
}

function readFields(bytes: Uint8Array): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>()
  let at = 0
  const varint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const take = (length: number) => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const readers: Readonly<Record<number, () => number | Uint8Array>> = {
    0: varint,
    1: () => take(8),
    2: () => take(varint()),
    5: () => take(4),
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    fields.set(number, [...(fields.get(number) ?? []), readers[tag % 8]!()])
  }
  return fields
}

function message(fields: Fields, number: number): Uint8Array {
  return fields.get(number)![0] as Uint8Array
}

function messages(fields: Fields, number: number): readonly Fields[] {
  return (fields.get(number) ?? []).map(bytes => readFields(bytes as Uint8Array))
}

function text(fields: Fields, number: number): string {
  return decodeText(message(fields, number))
}

function decodeText(value: number | Uint8Array): string {
  return new TextDecoder().decode(value as Uint8Array)
}

/** The name of an element type's number. */
export function typeOf(number: number | undefined): OnnxDataType {
  const found = Object.entries(onnxDataTypes).find(([, value]) => value === number)
  if (found === undefined) throw new Error(`element type ${number}`)
  return found[0] as OnnxDataType
}

function readValueInfo(fields: Fields): DecodedTensor {
  const tensorType = readFields(message(readFields(message(fields, 2)), 1))
  return { name: text(fields, 1), type: typeOf(tensorType.get(1)![0] as number) }
}

function readInitializer(fields: Fields): DecodedInitializer {
  const entries = messages(fields, 13).map(entry => [text(entry, 1), text(entry, 2)] as const)
  const inline = fields.get(9)?.[0] as Uint8Array | undefined
  return {
    name: text(fields, 8),
    type: typeOf(fields.get(2)![0] as number),
    dims: (fields.get(1) ?? []) as readonly number[],
    byteLength: inline?.byteLength ?? Number(new Map(entries).get('length')),
  }
}
