import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../../src/nvlm/load-stages.js'
import { nodePlatform } from '../../../src/platform/node/node-platform.js'
import type { PicturePlaces } from '../../../src/tokenizer/encoded-prompt.js'
import { type FusionCase, fusionFolder, messagesOf, readCases } from '../../support/fusion-golden.js'
import { readPrompt } from '../../support/fusion-prompt.js'
import { argmax, maxAbsDiff } from '../../support/official-golden.js'
import { readTensors } from '../../support/rename-tensors.js'
import { writeSafetensors } from '../../support/write-safetensors.js'

const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const TOLERANCE = 2e-4
/** Below this gap between the two best logits the choice is not certain. */
const CERTAIN_MARGIN = 1e-3

const folder = mkdtempSync(join(tmpdir(), 'nvlm-fusion-golden-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The folder of a checkpoint with the changes of a case. */
async function changed(name: string, { name: caseName, changes }: FusionCase): Promise<string> {
  const from = fusionFolder(name)
  if (Object.keys(changes).length === 0) return from
  const to = join(folder, `${name}-${caseName}`)
  cpSync(from, to, { recursive: true })
  const config = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'))
  const { tile_tags = true, placement = 'after-self-attention', gate } = changes
  const crossAttention = { ...config.cross_attention, placement }
  writeFileSync(
    join(to, 'config.json'),
    JSON.stringify({ ...config, tile_tags, cross_attention: crossAttention }),
  )
  if (gate === undefined) return to
  const tensors = readTensors(join(from, 'model.safetensors')).map(tensor =>
    tensor.name.endsWith('cross_attn.gate') ? { ...tensor, data: Float32Array.of(gate) } : tensor,
  )
  await writeSafetensors(join(to, 'model.safetensors'), tensors)
  return to
}

/** The tiles that a token sees, as the tokenizer's places say; in NVLM-H a picture's last one is none of them. */
function tilesSeen(
  token: number,
  places: readonly PicturePlaces[],
  tileCounts: readonly number[],
  name: string,
): readonly number[] {
  const seen: number[] = []
  let first = 0
  for (const [picture, { visibleFrom, tags }] of places.entries()) {
    const tag = tags.find(({ start, end }) => start <= token && token < end)
    if (tag !== undefined) return [first + tag.tile]
    const numTiles = tileCounts[picture]!
    const numSeen = visibleFrom <= token ? numTiles - (name === 'h' ? 1 : 0) : 0
    for (let tile = 0; tile < numSeen; tile++) seen.push(first + tile)
    first += numTiles
  }
  return seen
}

describe.each(['x', 'h'])('the independent implementation of NVLM-%s', name => {
  test.each(readCases(name))('gives the same tokens, sights, logits and answer: %s', async (_, one) => {
    const stages = await loadStages(host, await changed(name, one), { device: 'cpu' })
    const { input, places, tileCounts } = await readPrompt(stages, messagesOf(one))
    expect(tileCounts).toEqual(one.tileCounts)
    expect(input.inputIds).toEqual(one.inputIds)
    expect(one.inputIds.map((_, token) => tilesSeen(token, places, tileCounts, name))).toEqual(one.sees)
    const state = await stages.decoder.open({ contextLength: 1024 })
    const { data, dims } = await state.prefill(input, { allPositions: true })
    expect(dims).toEqual(one.shape)
    expect(maxAbsDiff(data, one.logits)).toBeLessThanOrEqual(TOLERANCE)
    let logits = data.subarray(-one.shape[1])
    for (const [step, id] of one.greedyIds.entries()) {
      if (one.greedyMargins[step]! > CERTAIN_MARGIN) expect(argmax(logits)).toBe(id)
      logits = (await state.step(id)).data as Float32Array<ArrayBuffer>
    }
    state.dispose()
    await stages.dispose()
  })
})
