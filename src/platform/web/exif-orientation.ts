const ORIENTATION = 0x0112
const SHORT = 3

/** Entries looked at; real files have a few dozen. */
const MAX_ENTRIES = 1000

/**
 * Find the orientation in an EXIF block.
 *
 * @param start - of the block: `II*\0` or `MM\0*`
 * @returns the value, and where its byte lies; undefined if there is none, or a value that means nothing
 * @see TIFF 6.0, section 2; EXIF 2.32, tag 0x0112
 */
export function findOrientation(
  view: DataView,
  start: number,
): { readonly orientation: number; readonly at: number } | undefined {
  if (start + 8 > view.byteLength) return undefined
  const order = view.getUint16(start)
  if (order !== 0x4949 && order !== 0x4d4d) return undefined
  const isLittle = order === 0x4949
  const directory = start + view.getUint32(start + 4, isLittle)
  if (directory + 2 > view.byteLength) return undefined
  const numEntries = Math.min(view.getUint16(directory, isLittle), MAX_ENTRIES)
  for (let index = 0; index < numEntries; index++) {
    const entry = directory + 2 + 12 * index
    if (entry + 12 > view.byteLength) return undefined
    if (view.getUint16(entry, isLittle) !== ORIENTATION) continue
    if (view.getUint16(entry + 2, isLittle) !== SHORT) return undefined
    const orientation = view.getUint16(entry + 8, isLittle)
    const at = entry + 8 + (isLittle ? 0 : 1)
    return orientation >= 1 && orientation <= 8 ? { orientation, at } : undefined
  }
  return undefined
}
