import { readFileSync } from 'node:fs'
import { type StoredTensor, writeSafetensors } from './write-safetensors.js'

/** One tensor of a float32 file. */
export interface FloatTensorEntry extends StoredTensor {
  readonly data: Float32Array
}

/** All tensors of a float32 safetensors file. */
export function readTensors(path: string): readonly FloatTensorEntry[] {
  const file = readFileSync(path)
  const headerLength = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }
  >
  return Object.entries(header).flatMap(([name, entry]): readonly FloatTensorEntry[] => {
    if (name === '__metadata__') return []
    const [start, end] = entry.data_offsets.map(offset => 8 + headerLength + offset)
    const data = new Float32Array(Uint8Array.from(file.subarray(start, end)).buffer)
    return [{ name, dtype: 'F32', shape: entry.shape, data }]
  })
}

/** Copy a float32 safetensors file under other tensor names. */
export async function renameTensors(
  from: string,
  to: string,
  rename: (name: string) => string,
): Promise<void> {
  await writeSafetensors(
    to,
    readTensors(from).map(tensor => ({ ...tensor, name: rename(tensor.name) })),
  )
}
