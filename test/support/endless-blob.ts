import type { BlobLike } from '../../src/platform/image-input.js'

/** A blob whose reading never ends, with a promise that resolves when it is begun. */
export function endlessBlob(): { readonly blob: BlobLike; readonly isRead: Promise<void> } {
  let begin = () => {}
  const isRead = new Promise<void>(resolve => {
    begin = resolve
  })
  const blob: BlobLike = {
    size: 1,
    type: 'image/png',
    arrayBuffer() {
      begin()
      return new Promise(() => {})
    },
  }
  return { blob, isRead }
}
