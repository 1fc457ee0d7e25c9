import { NVLMError } from '../../core/errors.js'
import { browser, type DecodedBitmap, type WebGL } from './browser.js'
import { AS_STORED } from './drawn-image.js'

/** Side of a block that every WebGL 2 can read. */
const MAX_BLOCK = 2048

let context: WebGL | undefined

/**
 * Read the pixels of a bitmap: uint8 [height, width, 4], RGBA, colours as they are under the alpha.
 *
 * A 2D canvas keeps pixels multiplied by their alpha, so that colours under a low alpha are lost; WebGL gives them as
 * they were.
 *
 * @throws {NVLMError} IMAGE_DECODE if this browser has no WebGL 2, or the pixels are of another origin
 */
export async function readBitmap(bitmap: DecodedBitmap): Promise<Uint8Array> {
  const gl = openContext()
  const { width, height } = bitmap
  const pixels = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y += MAX_BLOCK) {
    for (let x = 0; x < width; x += MAX_BLOCK) {
      const [columns, rows] = [Math.min(MAX_BLOCK, width - x), Math.min(MAX_BLOCK, height - y)]
      const isWhole = columns === width && rows === height
      const block = isWhole ? bitmap : await browser.createImageBitmap(bitmap, x, y, columns, rows, AS_STORED)
      const read = readBlock(gl, block, columns, rows)
      if (isWhole) return read
      block.close()
      for (let row = 0; row < rows; row++) {
        const line = read.subarray(row * columns * 4, (row + 1) * columns * 4)
        pixels.set(line, ((y + row) * width + x) * 4)
      }
    }
  }
  return pixels
}

function readBlock(gl: WebGL, bitmap: DecodedBitmap, width: number, height: number): Uint8Array {
  const name = (constant: string) => gl[constant] as number
  const texture = gl.createTexture()
  const framebuffer = gl.createFramebuffer()
  try {
    gl.bindTexture(name('TEXTURE_2D'), texture)
    gl.texParameteri(name('TEXTURE_2D'), name('TEXTURE_MIN_FILTER'), name('NEAREST'))
    gl.pixelStorei(name('UNPACK_PREMULTIPLY_ALPHA_WEBGL'), false)
    gl.pixelStorei(name('UNPACK_COLORSPACE_CONVERSION_WEBGL'), name('NONE'))
    gl.texImage2D(name('TEXTURE_2D'), 0, name('RGBA8'), name('RGBA'), name('UNSIGNED_BYTE'), bitmap)
    gl.bindFramebuffer(name('FRAMEBUFFER'), framebuffer)
    gl.framebufferTexture2D(name('FRAMEBUFFER'), name('COLOR_ATTACHMENT0'), name('TEXTURE_2D'), texture, 0)
    const pixels = new Uint8Array(width * height * 4)
    gl.readPixels(0, 0, width, height, name('RGBA'), name('UNSIGNED_BYTE'), pixels)
    if (!gl.isContextLost()) return pixels
    context = undefined
    throw new Error('the WebGL context was lost')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NVLMError('IMAGE_DECODE', `the pixels of a picture can't be read: ${why}`, {
      hint: 'Give the bytes of the file: pixels that another origin drew may not be read.',
      cause,
    })
  } finally {
    gl.bindFramebuffer(name('FRAMEBUFFER'), null)
    gl.deleteFramebuffer(framebuffer)
    gl.deleteTexture(texture)
  }
}

function openContext(): WebGL {
  if (context?.isContextLost()) context = undefined
  context ??= new browser.OffscreenCanvas(1, 1).getContext('webgl2') ?? undefined
  if (context !== undefined) return context
  throw new NVLMError(
    'IMAGE_DECODE',
    'this browser has no WebGL 2 here, which the pixels of pictures are read with',
    {
      hint: 'Give raw pixels: { data, width, height }.',
    },
  )
}
