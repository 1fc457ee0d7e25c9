import { NVLM } from 'nvlm-ts'
import { note } from './options.js'
import { syntheticPhoto } from './pictures.js'
import type { Plan } from './plan.js'

/** Answers about pictures, of nvlm-ts alone: the others take no pictures of this model. */
export interface PictureResult {
  readonly readyMs: number
  readonly questions: readonly PictureQuestions[]
}

/** Two questions about one picture. */
export interface PictureQuestions {
  readonly numTiles: number
  promptTokens: number
  /** From the call to the first token. */
  readonly firstMs: number[]
  readonly secondMs: number[]
  /** Of the first question: vision tower and projector; prompt. */
  readonly visionMs: number[]
  readonly prefillMs: number[]
  /** Tokens of the second question that were not read again. */
  readonly cachedTokens: number[]
}

/** Sizes that a model of 448-pixel tiles cuts into one tile, and into six and a thumbnail. */
const PICTURES = [
  { width: 448, height: 448, numTiles: 1 },
  { width: 1344, height: 896, numTiles: 7 },
]

const FIRST = 'Describe the picture.'
const SECOND = 'What is on the left side of it?'

/** Ask twice about each of several pictures that the model has not seen. */
export async function benchPictures(model: string, plan: Plan, numThreads: number): Promise<PictureResult> {
  const started = performance.now()
  const nvlm = await NVLM.load(model, { numThreads })
  const readyMs = performance.now() - started
  const questions: PictureQuestions[] = []
  try {
    for (const { width, height, numTiles } of PICTURES) {
      const asked: PictureQuestions = {
        numTiles,
        promptTokens: 0,
        firstMs: [],
        secondMs: [],
        visionMs: [],
        prefillMs: [],
        cachedTokens: [],
      }
      for (let round = 0; round < plan.pictureRounds; round++) {
        await askTwice(nvlm, await syntheticPhoto(width, height, 10 * numTiles + round + 1), asked)
      }
      questions.push(asked)
      note(`picture of ${numTiles} tiles: done`)
    }
  } finally {
    await nvlm.dispose()
  }
  return { readyMs, questions }
}

async function askTwice(nvlm: NVLM, image: Uint8Array, asked: PictureQuestions): Promise<void> {
  const first = await nvlm.generate({ prompt: FIRST, images: [image], maxTokens: 1 })
  const second = await nvlm.generate({ prompt: SECOND, images: [image], maxTokens: 1 })
  const tiles = first.usage.imageTokens / nvlm.info.tile!.tokens
  if (tiles !== asked.numTiles) throw new Error(`the picture has ${tiles} tiles, expected ${asked.numTiles}`)
  asked.promptTokens = first.usage.promptTokens
  asked.firstMs.push(first.timings.timeToFirstTokenMs)
  asked.visionMs.push(first.timings.visionMs)
  asked.prefillMs.push(first.timings.prefillMs)
  asked.secondMs.push(second.timings.timeToFirstTokenMs)
  asked.cachedTokens.push(second.usage.cachedTokens)
}
