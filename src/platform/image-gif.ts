const EXTENSION = 0x21
const GRAPHIC_CONTROL = 0xf9
const TRANSPARENT_FLAG = 1

/**
 * A GIF whose first frame has no transparent colour, so that pixels of that colour keep it, as with Pillow;
 * libvips would make them black. Other files come back as they are.
 */
export function withoutTransparency(gif: Uint8Array): Uint8Array {
  const flags = firstGraphicControl(gif)
  if (flags === undefined || (gif[flags]! & TRANSPARENT_FLAG) === 0) return gif
  const opaque = gif.slice()
  opaque[flags] = gif[flags]! & ~TRANSPARENT_FLAG
  return opaque
}

/** Where the flags of the first frame's graphic control extension lie. */
function firstGraphicControl(gif: Uint8Array): number | undefined {
  const screenFlags = gif[10] ?? 0
  const paletteBytes = screenFlags & 0x80 ? 3 * 2 ** ((screenFlags & 7) + 1) : 0
  let at = 13 + paletteBytes
  while (gif[at] === EXTENSION) {
    if (gif[at + 1] === GRAPHIC_CONTROL) return at + 3 < gif.length ? at + 3 : undefined
    at += 2
    // sub-blocks: a length, that many bytes, …, a zero
    for (let length = gif[at]; length !== undefined && length !== 0; length = gif[at]) at += length + 1
    at++
  }
  return undefined
}
