import { createPacer, type Pause, runPaced } from '../platform/pacer.js'
import type { RgbImage } from '../platform/platform.js'
import { WorkBudget } from '../platform/work-budget.js'
import { createResampleKernels, type ResampleKernels } from './resample-memory.js'
import { type ResizeTarget, resampleSteps } from './resample-strip.js'

/** The memory of the code never shrinks: an instance whose memory has grown larger is not kept. */
const MAX_KEPT_BYTES = 8_000_000

/** One resize of the thread at a time: two would take twice the memory and no less time. */
const turns = new WorkBudget(1)
let kernels: ResampleKernels | undefined

/**
 * Resize to several sizes with Pillow's bicubic filter, bit for bit: `Image.resize((width, height), Image.BICUBIC)` of an RGB image.
 *
 * The horizontal pass comes first and is rounded to 8 bits. The picture is read once for all targets, and each gets its rows from top to
 * bottom; what lies between the passes is kept for as many rows as the filter spans.
 *
 * It pauses for the event loop. An abort rejects with the signal's reason; some rows may have been written then.
 */
export function resizeBicubicInto(
  image: RgbImage,
  targets: readonly ResizeTarget[],
  signal?: AbortSignal,
): Promise<void> {
  return turns.run(1, () => resizeInTurn(image, targets, createPacer(signal)), signal)
}

async function resizeInTurn(image: RgbImage, targets: readonly ResizeTarget[], pause: Pause): Promise<void> {
  kernels ??= await createResampleKernels()
  try {
    await runPaced(resampleSteps(kernels, image, targets), pause)
  } finally {
    if (kernels.memory.buffer.byteLength > MAX_KEPT_BYTES) kernels = undefined
  }
}

/** Resize to one size with Pillow's bicubic filter. An image of that size comes back as it is. */
export async function resizeBicubic(
  image: RgbImage,
  width: number,
  height: number,
  signal?: AbortSignal,
): Promise<RgbImage> {
  if (image.width === width && image.height === height) return image
  const data = new Uint8Array(width * height * 3)
  const write = (x: number, y: number, rgb: Uint8Array) => data.set(rgb, 3 * (y * width + x))
  await resizeBicubicInto(image, [{ width, height, write }], signal)
  return { width, height, data }
}
