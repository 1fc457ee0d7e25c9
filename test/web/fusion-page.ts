import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { fusionFolder, messagesOf, readCases } from '../support/fusion-golden.js'
import { imagePath } from '../support/official-golden.js'
import { prepareModels } from './prepare-models.js'
import { startBench } from './test-page.js'

/** Largest logit difference of the tiny NVLM-X in bfloat16, twice: a choice by more than that is certain. */
const CERTAIN_IN_BF16 = 0.06

/** A page that has the tiny NVLM-X in bfloat16 and NVLM-H in float32. */
export async function openFusionPage(options: Parameters<typeof startBench>[1] = {}) {
  const models = await prepareModels({
    'x-web': { checkpoint: 'x', from: fusionFolder('x'), dtype: 'bf16' },
    'h-web': { checkpoint: 'h', from: fusionFolder('h') },
  })
  const golden = fileURLToPath(new URL('../golden/official', import.meta.url))
  const bench = await startBench({ models, golden }, options)
  const page = await bench.open()
  return {
    /** Ask a model some golden cases; its answers are those of the independent implementation, as far as they are certain. */
    async expectAnswers(name: 'x' | 'h', device: 'wasm' | 'webgpu', cases: readonly string[]): Promise<void> {
      const { id, info } = await page.call('load', `/models/${name}-web`, { device })
      expect(info.device.decoder).toBe(device)
      for (const [caseName, one] of readCases(name)) {
        if (!cases.includes(caseName)) continue
        const question = { messages: webMessages(messagesOf(one)), applyExif: false, maxTokens: 6 }
        const { result } = await page.call('ask', id, question)
        const numCertain = one.greedyMargins.findIndex(
          margin => margin < (name === 'x' ? CERTAIN_IN_BF16 : 1e-3),
        )
        const certain = one.greedyIds.slice(0, numCertain === -1 ? 6 : Math.min(6, numCertain))
        expect(certain.length).toBeGreaterThan(0)
        expect(result.tokenIds.slice(0, certain.length)).toEqual(certain)
        expect(result.usage.promptTokens).toBe(one.inputIds.length)
      }
      await page.call('dispose', id)
      expect(page.complaints).toEqual([])
    },
    async close(): Promise<void> {
      await bench.close()
      await rm(models, { recursive: true })
    },
  }
}

/** Pictures as URLs of the server. */
function webMessages(messages: readonly object[]): readonly object[] {
  const root = JSON.stringify(imagePath('')).slice(1, -1)
  return JSON.parse(JSON.stringify(messages).replaceAll(root, '/golden/'))
}
