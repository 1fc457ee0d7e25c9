import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Message } from '../../src/tokenizer/messages.js'
import { imagePath } from './official-golden.js'

/** A case of an independent PyTorch implementation; see make_fusion.py. */
export interface FusionCase {
  readonly name: string
  readonly turns: readonly (readonly [question: string, answer: string | null])[]
  readonly images: readonly string[]
  readonly tileCounts: readonly number[]
  /** In what its model differs from the checkpoint. */
  readonly changes: { readonly tile_tags?: boolean; readonly gate?: number; readonly placement?: string }
  readonly inputIds: readonly number[]
  /** For each token the tiles that it sees, counted over all pictures. */
  readonly sees: readonly (readonly number[])[]
  readonly greedyIds: readonly number[]
  readonly greedyMargins: readonly number[]
  readonly shape: readonly [length: number, vocabSize: number]
}

const root = fileURLToPath(new URL('../golden/fusion/', import.meta.url))

/** Folder of the tiny checkpoint `x` or `h`. */
export function fusionFolder(name: string): string {
  return `${root}ckpt/${name}`
}

/** The cases of a checkpoint by name, with the logits of all tokens of their prompts. */
export function readCases(name: string) {
  const cases = JSON.parse(readFileSync(`${root}${name}.json`, 'utf8')) as FusionCase[]
  const bytes = readFileSync(`${root}${name}.f32`)
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  let at = 0
  const withLogits = cases.map(one => {
    const length = one.shape[0] * one.shape[1]
    at += length
    return [one.name, { ...one, logits: all.slice(at - length, at) }] as const
  })
  if (at !== all.length) throw new Error(`${name}.f32 holds ${all.length} logits, its cases ${at}`)
  return withLogits
}

/** Its turns, each `<image>` of a question the path of the next picture. */
export function messagesOf({ turns, images }: FusionCase): readonly Message<string>[] {
  const pictures = images.values()
  return turns.flatMap(([question, answer]): readonly Message<string>[] => {
    const content = question
      .split('<image>')
      .flatMap((text, index) => [
        ...(index === 0 ? [] : [{ type: 'image', image: imagePath(pictures.next().value!) } as const]),
        ...(text === '' ? [] : [{ type: 'text', text } as const]),
      ])
    return [
      { role: 'user', content },
      ...(answer === null ? [] : [{ role: 'assistant', content: answer } as const]),
    ]
  })
}
