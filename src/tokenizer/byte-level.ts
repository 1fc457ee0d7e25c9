/**
 * The printable character that stands for each byte in the vocabulary files of byte-level BPE.
 *
 * Printable Latin-1 stands for itself, the other 68 bytes are moved to U+0100 and up.
 *
 * @see openai/gpt-2 `src/encoder.py`, `bytes_to_unicode`
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters()

const BYTES = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))

function byteCharacters(): string[] {
  let numMoved = 0
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
    return String.fromCharCode(isPrintable ? byte : 0x100 + numMoved++)
  })
}

/** The bytes that a vocabulary entry such as `Ġthe` stands for, `undefined` if it is not in byte-level spelling. */
export function tokenBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = BYTES.get(token[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}
