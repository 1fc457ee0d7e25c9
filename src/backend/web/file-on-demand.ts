import { browser } from '../../platform/web/browser.js'

/** Bytes read from the file at a time. */
const PIECE_BYTES = 1 << 20

/**
 * A file that looks like an array to the engine and is read when the engine takes a part of it.
 *
 * Builds of ONNX Runtime without JSPI can't wait for a file while a session loads, so they read it whole into an array
 * and copy each weight from there: the weights take their size twice. They take `byteLength` and `subarray` of that array
 * and nothing else (1.30.0), and a worker can read files without waiting.
 *
 * A part that was taken is good until the next is.
 */
export class FileOnDemand extends Uint8Array {
  private readonly reader = new browser.FileReaderSync!()
  private part = new Uint8Array()

  constructor(private readonly file: Blob) {
    super(0)
  }

  override get byteLength(): number {
    return this.file.size
  }

  override subarray(begin = 0, end = this.file.size): Uint8Array<ArrayBuffer> {
    const length = end - begin
    if (this.part.length < length) this.part = new Uint8Array(length)
    for (let at = 0; at < length; at += PIECE_BYTES) {
      const piece = this.file.slice(begin + at, begin + Math.min(at + PIECE_BYTES, length))
      this.part.set(new Uint8Array(this.reader.readAsArrayBuffer(piece)), at)
    }
    // not through `subarray` of this class, which its own arrays would not have
    return new Uint8Array(this.part.buffer, 0, length)
  }
}

/** Can files be read without waiting? Only in workers. */
export function canReadOnDemand(): boolean {
  return browser.FileReaderSync !== undefined
}
