/**
 * CMYK to RGB by Pillow's formula, which knows no colour profiles.
 *
 * @param cmyk - uint8 [numPixels, 4], 255 is full ink
 * @see Pillow 9.4 `src/libImaging/Convert.c`, `cmyk2rgb`
 */
export function rgbFromCmyk(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3)
  for (let p = 0, o = 0; p < cmyk.length; p += 4) {
    const white = 255 - cmyk[p + 3]!
    rgb[o++] = white - divideBy255(cmyk[p]! * white)
    rgb[o++] = white - divideBy255(cmyk[p + 1]! * white)
    rgb[o++] = white - divideBy255(cmyk[p + 2]! * white)
  }
  return rgb
}

/** Rounded division, exact for products of two bytes. */
function divideBy255(product: number): number {
  const rounded = product + 128
  return ((rounded >> 8) + rounded) >> 8
}

/**
 * 16-bit grey to RGB as Pillow does: values above 255 become white; nothing is scaled.
 *
 * @param samples - native-endian uint16 [numPixels, channels], seen as bytes that begin at an even place; only the first channel counts
 */
export function rgbFromGrey16(samples: Uint8Array, channels: number): Uint8Array {
  const values = new Uint16Array(samples.buffer, samples.byteOffset, samples.length / 2)
  const numPixels = values.length / channels
  const rgb = new Uint8Array(numPixels * 3)
  for (let i = 0, o = 0; i < numPixels; i++) {
    const grey = Math.min(255, values[i * channels]!)
    rgb[o++] = grey
    rgb[o++] = grey
    rgb[o++] = grey
  }
  return rgb
}
