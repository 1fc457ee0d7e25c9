import { readFileSync } from 'node:fs'
import { type StoredTensor, writeSafetensors } from './write-safetensors.js'

/** Copy a float32 safetensors file under other tensor names. */
export async function renameTensors(
  from: string,
  to: string,
  rename: (name: string) => string,
): Promise<void> {
  const file = readFileSync(from)
  const headerLength = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }
  >
  const tensors = Object.entries(header).flatMap(([name, entry]): StoredTensor[] => {
    if (name === '__metadata__') return []
    const [start, end] = entry.data_offsets.map(offset => 8 + headerLength + offset)
    return [{ name: rename(name), dtype: 'F32', shape: entry.shape, data: file.subarray(start, end) }]
  })
  await writeSafetensors(to, tensors)
}
