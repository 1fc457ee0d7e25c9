import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeFiles } from '../../src/platform/node/files.js'
import { readManifest } from '../../src/prepare/prepared-model.js'
import { buildForNode } from '../nvlm/build-for-node.js'
import { type StoredTensor, writeSafetensors } from '../support/write-safetensors.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-memory-'))
const sizes = { hidden: 4096, intermediate: 14336, layers: 16, vocab: 65536 }
let built: string

beforeAll(async () => {
  built = await buildForNode({
    child: 'test/large/convert-child.ts',
    'convert-worker': 'src/nvlm/worker/convert-worker.ts',
  })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(built, { recursive: true })
})

/** A Qwen2 checkpoint whose weights are a hole in a sparse file. */
async function writeSparseCheckpoint(path: string, numLayers: number): Promise<number> {
  const { hidden, intermediate, vocab } = sizes
  const tensor = (name: string, ...shape: number[]): StoredTensor => ({ name, dtype: 'BF16', shape })
  const layers = Array.from({ length: numLayers }, (_, layer) => {
    const at = (name: string) => `model.layers.${layer}.${name}`
    return [
      ...['q', 'k', 'v'].flatMap(p => [
        tensor(at(`self_attn.${p}_proj.weight`), hidden, hidden),
        tensor(at(`self_attn.${p}_proj.bias`), hidden),
      ]),
      tensor(at('self_attn.o_proj.weight'), hidden, hidden),
      tensor(at('mlp.gate_proj.weight'), intermediate, hidden),
      tensor(at('mlp.up_proj.weight'), intermediate, hidden),
      tensor(at('mlp.down_proj.weight'), hidden, intermediate),
      tensor(at('input_layernorm.weight'), hidden),
      tensor(at('post_attention_layernorm.weight'), hidden),
    ]
  })
  mkdirSync(path)
  const config = {
    ...{ model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], hidden_act: 'silu' },
    ...{ hidden_size: hidden, intermediate_size: intermediate, num_hidden_layers: numLayers },
    ...{ num_attention_heads: 32, num_key_value_heads: 32, vocab_size: vocab, rms_norm_eps: 1e-6 },
    ...{ rope_theta: 1e6, max_position_embeddings: 32768, tie_word_embeddings: false },
  }
  writeFileSync(join(path, 'config.json'), JSON.stringify(config))
  return writeSafetensors(join(path, 'model.safetensors'), [
    tensor('model.embed_tokens.weight', vocab, hidden),
    ...layers.flat(),
    tensor('model.norm.weight', hidden),
    tensor('lm_head.weight', vocab, hidden),
  ])
}

test('converts 8 GB within 2 x the largest tensor + 300 MB, in files below 2 GB', async () => {
  const checkpoint = join(folder, 'checkpoint')
  const out = join(folder, 'q4')
  expect(await writeSparseCheckpoint(checkpoint, sizes.layers)).toBeGreaterThan(8e9)
  const largestTensor = sizes.vocab * sizes.hidden * 2
  const worker = join(built, 'convert-worker.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(built, 'child.mjs'),
    worker,
    checkpoint,
    out,
    'q4',
  ])
  const { peakBytes, seconds } = JSON.parse(stdout) as { peakBytes: number; seconds: number }
  process.stdout.write(`peak ${Math.round(peakBytes / 1e6)} MB, ${seconds.toFixed(1)} s\n`)
  expect(peakBytes).toBeLessThan(2 * largestTensor + 300e6)
  const { data } = await readManifest(nodeFiles, out)
  expect(data.length).toBeGreaterThan(1)
  for (const { file } of data) expect(statSync(join(out, file)).size).toBeLessThan(2e9)
}, 1_200_000)
