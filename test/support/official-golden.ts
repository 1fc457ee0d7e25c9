import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ContentPart, Message } from '../../src/tokenizer/messages.js'

/** One case of `test/golden/official/<checkpoint>/cases.json`. */
export interface OfficialCase {
  readonly name: string
  readonly question: string
  readonly history: readonly (readonly [string, string])[] | null
  readonly method: string
  readonly images: readonly string[]
  readonly maxTiles: number
  readonly tileCounts: readonly number[] | null
  readonly prompt: string
  readonly inputIds: readonly number[]
  readonly greedyIds: readonly number[]
  readonly greedyMargins: readonly number[]
  readonly chatIds: readonly number[]
  readonly chatText: string
  readonly tensors: {
    readonly pixelValuesSha256?: string
    readonly features?: string
    readonly logits?: string
    readonly greedyLogits?: string
    readonly lastLogits: string
  }
}

/** What the official code gave for one checkpoint. */
export interface OfficialGolden {
  readonly cases: readonly OfficialCase[]
  readonly tensors: Readonly<Record<string, { readonly file: string; readonly shape: readonly number[] }>>
  readonly visionVariants: {
    readonly image: string
    readonly maxTiles: number
    readonly features: Readonly<Record<string, string>>
  }
  readonly longPositions: {
    readonly inputIds: readonly number[]
    readonly gapPositionIds: readonly number[]
    readonly logits: Readonly<Record<string, string>>
  }
  readonly longPrefill?: { readonly length: number; readonly lastLogits: string }
  readonly interpolation?: {
    readonly image: string
    readonly maxTiles: number
    readonly bySize: Readonly<Record<string, string>>
  }
  readonly ropeTables?: Readonly<
    Record<
      string,
      {
        readonly positions: readonly number[]
        readonly theta: number
        readonly cos: string
        readonly sin: string
      }
    >
  >
}

const root = fileURLToPath(new URL('../golden/official/', import.meta.url))

/** Folder of a tiny checkpoint. */
export function checkpointFolder(name: string): string {
  return `${root}ckpt/${name}`
}

/** Path of a golden picture, as named in the cases. */
export function imagePath(name: string): string {
  return root + name
}

export function readGolden(name: string): OfficialGolden {
  return JSON.parse(readFileSync(`${root}${name}/cases.json`, 'utf8'))
}

/** A golden tensor, float32 in C order. */
export function readTensor(
  checkpoint: string,
  golden: Pick<OfficialGolden, 'tensors'>,
  key: string,
): Float32Array {
  const bytes = readFileSync(`${root}${checkpoint}/${golden.tensors[key]!.file}`)
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** Largest absolute difference; Infinity for arrays of different length. */
export function maxAbsDiff(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let largest = 0
  for (let i = 0; i < actual.length; i++) largest = Math.max(largest, Math.abs(actual[i]! - expected[i]!))
  return largest
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}

/** The messages of a case: each `<image>` of the official question becomes the next picture. */
export function messagesOf({ question, history, images }: OfficialCase): readonly Message<string>[] {
  const paths = images.map(imagePath)
  // official rule: without history, pictures that the question does not place come first
  const first = history === null && images.length > 0 && !question.includes('<image>') ? '<image>\n' : ''
  const user = (text: string): Message<string> => {
    const parts = text
      .split('<image>')
      .flatMap((piece, index): ContentPart<string>[] => [
        ...(index > 0 ? [{ type: 'image' as const, image: paths.shift()! }] : []),
        ...(piece === '' ? [] : [{ type: 'text' as const, text: piece }]),
      ])
    return { role: 'user', content: parts }
  }
  const turns = (history ?? []).flatMap(([asked, answered]): Message<string>[] => [
    user(asked),
    { role: 'assistant', content: answered },
  ])
  return [...turns, user(first + question)]
}
