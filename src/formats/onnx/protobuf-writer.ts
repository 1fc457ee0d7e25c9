const encoder = new TextEncoder()

/**
 * Append-only writer of the protobuf wire format: just the three wire types that ONNX models use.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export class ProtobufWriter {
  private bytes = new Uint8Array(256)
  private length = 0

  /** Everything written so far; a copy. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  /** Field of wire type 0. `value` is a safe integer; negative ones take ten bytes, as int64 does. */
  varint(field: number, value: number): this {
    this.rawVarint(BigInt(field << 3))
    this.rawVarint(BigInt.asUintN(64, BigInt(value)))
    return this
  }

  /** Field of wire type 5: float32, little endian. */
  float(field: number, value: number): this {
    this.rawVarint(BigInt((field << 3) | 5))
    this.reserve(4)
    new DataView(this.bytes.buffer).setFloat32(this.length, value, true)
    this.length += 4
    return this
  }

  /** Field of wire type 2: bytes with their length in front. */
  bytesField(field: number, value: Uint8Array): this {
    this.rawVarint(BigInt((field << 3) | 2))
    this.rawVarint(BigInt(value.length))
    this.reserve(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
    return this
  }

  /** A field that is encoded already, its tag included. */
  raw(field: Uint8Array): this {
    this.reserve(field.length)
    this.bytes.set(field, this.length)
    this.length += field.length
    return this
  }

  /** Field of wire type 2: UTF-8 text. */
  string(field: number, value: string): this {
    return this.bytesField(field, encoder.encode(value))
  }

  /** Field of wire type 2: an embedded message, filled by `write`. */
  message(field: number, write: (writer: ProtobufWriter) => void): this {
    const inner = new ProtobufWriter()
    write(inner)
    return this.bytesField(field, inner.bytes.subarray(0, inner.length))
  }

  private rawVarint(value: bigint): void {
    this.reserve(10)
    if (value < 0x80n) {
      this.bytes[this.length++] = Number(value)
      return
    }
    while (value >= 0x80n) {
      this.bytes[this.length++] = Number(value & 0x7fn) | 0x80
      value >>= 7n
    }
    this.bytes[this.length++] = Number(value)
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
