import { damagedFile } from './damaged-file.js'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The rewriting table of a SentencePiece model: the longest known beginning of what is left is replaced.
 *
 * The table is a double array of 32-bit units (a trie over UTF-8 bytes) and the replacements it points into, each
 * ended by a zero byte.
 *
 * @see google/sentencepiece `src/normalizer.cc`, `Normalizer::NormalizePrefix`; s-yata/darts-clone `darts.h`
 */
export class CharsMap {
  private readonly units: Uint32Array
  private readonly replacements: Uint8Array

  /** @throws {NVLMError} MODEL_INVALID if the parts do not fit their sizes */
  constructor(bytes: Uint8Array, name: string) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const length = bytes.byteLength < 4 ? 0 : view.getUint32(0, true)
    if (length === 0 || length % 4 !== 0 || length > bytes.byteLength - 4) {
      damagedFile(`${name}: the table of character rewritings does not fit its ${bytes.byteLength} bytes`)
    }
    this.units = Uint32Array.from({ length: length / 4 }, (_, i) => view.getUint32(4 + 4 * i, true))
    this.replacements = bytes.subarray(4 + length)
  }

  /** Text with everything replaced that the table knows. */
  rewrite(text: string): string {
    const bytes = new TextEncoder().encode(text)
    let result = ''
    let kept = 0
    for (let at = 0; at < bytes.length; ) {
      const found = this.longestMatch(bytes, at)
      if (found === undefined) {
        at += characterLength(bytes[at]!)
        continue
      }
      result += utf8.decode(bytes.subarray(kept, at)) + this.replacement(found.value)
      at += found.length
      kept = at
    }
    return result + utf8.decode(bytes.subarray(kept))
  }

  private longestMatch(
    bytes: Uint8Array,
    from: number,
  ): { readonly length: number; readonly value: number } | undefined {
    const { units } = this
    let best: { readonly length: number; readonly value: number } | undefined
    let node = offsetOf(units[0]!)
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!
      node ^= byte
      const unit = units[node]
      if (unit === undefined || (unit & 0x8000_00ff) >>> 0 !== byte) break
      node ^= offsetOf(unit)
      const leaf = units[node]
      if (((unit >>> 8) & 1) === 1 && leaf !== undefined) {
        best = { length: at + 1 - from, value: leaf & 0x7fff_ffff }
      }
    }
    return best
  }

  private replacement(start: number): string {
    const end = this.replacements.indexOf(0, start)
    return utf8.decode(this.replacements.subarray(start, end < 0 ? undefined : end))
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}

/** Bytes of the UTF-8 character that begins with `first`. */
function characterLength(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
}
