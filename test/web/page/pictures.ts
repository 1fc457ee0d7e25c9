import type { ImageInput } from '../../../src/index.js'
import type { PagePicture, PictureKind } from '../page-calls.js'
import { encodeBase64 } from './wire.js'

/** Makes a picture of each kind from a URL. */
const MAKERS: Readonly<Record<PictureKind, (url: string) => Promise<unknown>>> = {
  bytes: async url => new Uint8Array(await (await fetchBlob(url)).arrayBuffer()),
  blob: fetchBlob,
  file: async url => new File([await fetchBlob(url)], 'picture.png'),
  'blob URL': async url => URL.createObjectURL(await fetchBlob(url)),
  'data URL': async url => {
    const bytes = new Uint8Array(await (await fetchBlob(url)).arrayBuffer())
    return `data:image/png;base64,${encodeBase64(bytes)}`
  },
  'relative URL': async url => url,
  'URL object': async url => new URL(url, location.href),
  ImageBitmap: async url => createImageBitmap(await fetchBlob(url)),
  ImageData: async url => {
    const canvas = await draw(url)
    return canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
  },
  canvas: draw,
  OffscreenCanvas: async url => {
    const canvas = await draw(url)
    const copy = new OffscreenCanvas(canvas.width, canvas.height)
    copy.getContext('2d')!.drawImage(canvas, 0, 0)
    return copy
  },
  img: loadImage,
  video: playVideo,
  VideoFrame: async url => new VideoFrame(await createImageBitmap(await fetchBlob(url)), { timestamp: 0 }),
}

export function makePicture({ path, kind }: PagePicture): Promise<ImageInput> {
  return MAKERS[kind](path) as Promise<ImageInput>
}

async function fetchBlob(url: string): Promise<Blob> {
  return (await fetch(url)).blob()
}

async function loadImage(url: string): Promise<HTMLImageElement> {
  const image = new Image()
  image.src = url
  await image.decode()
  return image
}

async function draw(url: string): Promise<HTMLCanvasElement> {
  const image = await loadImage(url)
  const canvas = document.createElement('canvas')
  canvas.width = image.naturalWidth
  canvas.height = image.naturalHeight
  canvas.getContext('2d')!.drawImage(image, 0, 0)
  return canvas
}

/** A video that shows one canvas. */
async function playVideo(url: string): Promise<HTMLVideoElement> {
  const canvas = await draw(url)
  const video = document.createElement('video')
  video.muted = true
  video.srcObject = canvas.captureStream()
  const loaded = new Promise(resolve => video.addEventListener('loadeddata', resolve, { once: true }))
  await video.play()
  // a stream sends a picture when the canvas is drawn to
  canvas.getContext('2d')!.drawImage(await loadImage(url), 0, 0)
  await loaded
  return video
}
