// @ts-check
// Compare models of the family on the same held-out questions: how much they read, and what a picture costs them.
//
//   node examples/train-tiny/compare.mjs accuracy --held-out /tmp/comparison /tmp/four/d /tmp/four/x
//   node examples/train-tiny/compare.mjs cost /tmp/four/d /tmp/four/x
//
// Replaces the table of that name in docs/fusion-comparison.md, between its markers.
import { randomFillSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { loadStages, NVLM } from 'nvlm-ts'
import { ask, percent, table } from './held-out.mjs'

const DOCUMENT = fileURLToPath(new URL('../../docs/fusion-comparison.md', import.meta.url))
const ROUNDS = 60
/** Prompts that are held at once when memory is measured. */
const HELD = 40
/** [tiles with the thumbnail, width, height] of pictures. */
const PICTURES = /** @type {const} */ ([
  [1, 96, 96],
  [3, 192, 96],
  [7, 288, 192],
])
const TITLES = new Map([
  ['d', 'NVLM-D'],
  ['d-untagged', 'NVLM-D without tags'],
  ['x', 'NVLM-X'],
  ['h', 'NVLM-H'],
])
const titleOf = (/** @type {string} */ model) => TITLES.get(basename(model)) ?? basename(model)

/** How many tiles a row's picture has. */
const AMOUNTS = ['all of 1 tile', 'all of 3 tiles', 'all of 4 or 5 tiles', 'all of 7 tiles']
const amountOf = (/** @type {number} */ tiles) => AMOUNTS[[1, 3, 5, 7].findIndex(most => tiles <= most)] ?? ''

/** Share of right answers by group, a column a model; and how many answers equal PyTorch's. */
async function accuracy(/** @type {string[]} */ models, /** @type {string} */ heldOut) {
  /** @type {import('./held-out.mjs').Asked[]} */
  const results = []
  for (const model of models)
    results.push(await ask(model, heldOut, ({ group, tiles }) => [group, amountOf(tiles), 'all']))
  const counts = (/** @type {string} */ group) =>
    results.map(({ groups }) => groups.get(group) ?? { asked: 0, right: 0, equal: 0 })
  const totals = [...AMOUNTS, 'all']
  const parts = [...(results[0]?.groups.keys() ?? [])].filter(group => !totals.includes(group))
  const lines = [...parts, ...totals].map(group => [
    group,
    counts(group)[0]?.asked ?? 0,
    ...counts(group).map(({ right, asked }) => percent(right, asked)),
  ])
  const equal = counts('all').map(one => `${one.equal} of ${one.asked}`)
  return table([
    ['right answers', 'asked', ...models.map(titleOf)],
    ...lines,
    ['answers equal to PyTorch', '', ...equal],
  ])
}

/** Pixels that no cache knows. */
function noise(/** @type {number} */ width, /** @type {number} */ height) {
  return { data: randomFillSync(new Uint8Array(width * height * 3)), width, height }
}

/** Rows that a prompt gives to cross-attention: the tiles, and in NVLM-H the tags before them. */
function crossRows(/** @type {import('nvlm-ts').Stages} */ { tokenizer, info }, /** @type {number} */ tiles) {
  const perTile = info.tile?.tokens ?? 0
  if (info.fusion === 'cross-attention') return tiles * perTile
  const content = [{ type: /** @type {const} */ ('image'), image: 0 }]
  const [picture] = tokenizer.placePrompt([{ role: 'user', content }], [tiles]).pictures
  return (picture?.crossIds ?? []).reduce((sum, ids) => sum + ids.length + perTile, 0)
}

/** What does not change from run to run: rows for cross-attention, and bytes of keys and values in float32. */
async function memoryOf(/** @type {string} */ model) {
  const { cacheBytesPerToken, crossAttention } = await NVLM.inspect(model)
  const stages = await loadStages(model)
  const rows = new Map(PICTURES.map(([tiles]) => [tiles, crossRows(stages, tiles)]))
  const rowBytes = (crossAttention?.bytesPerTile ?? 0) / (stages.info.tile?.tokens ?? 1)
  await stages.dispose()
  return (/** @type {1 | 3 | 7} */ tiles, /** @type {number} */ tokens) => ({
    rows: rows.get(tiles) ?? 0,
    kilobytes: (cacheBytesPerToken * tokens + rowBytes * (rows.get(tiles) ?? 0)) / 1000,
  })
}

/** Bytes of all array buffers in use. */
async function bufferBytes() {
  setFlagsFromString('--expose-gc')
  for (let round = 0; round < 3; round++) {
    runInNewContext('gc')()
    await setTimeout(100) // what was found is given back in later turns
  }
  return process.memoryUsage().arrayBuffers
}

/** Kilobytes that a prompt about a new picture holds on to, measured over many that are kept at once. */
async function heldKilobytes(
  /** @type {string} */ model,
  /** @type {number} */ width,
  /** @type {number} */ height,
) {
  const nvlm = await NVLM.load(model, { visionCache: false, worker: false })
  for (let round = 0; round < 3; round++) await measure(nvlm, width, height)
  const before = await bufferBytes()
  for (let round = 0; round < HELD; round++) await measure(nvlm, width, height)
  const bytes = (await bufferBytes()) - before
  await nvlm.dispose()
  return bytes / HELD / 1000
}

/** `median (p10 – p90)`, milliseconds. */
function spread(/** @type {number[]} */ values) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (/** @type {number} */ share) =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(2)
  return `${at(0.5)} (${at(0.1)} – ${at(0.9)})`
}

/** One question about a new picture: tokens of the prompt and milliseconds. */
async function measure(/** @type {NVLM} */ nvlm, /** @type {number} */ width, /** @type {number} */ height) {
  const images = [noise(width, height)]
  const { usage, timings } = await nvlm.generate('What does the sign say?', { images, maxTokens: 1 })
  return { tokens: usage.promptTokens, prefill: timings.prefillMs, first: timings.timeToFirstTokenMs }
}

/** Sequence, prefill, time to the first token and memory, in turns so that a slow minute hits all alike. */
async function cost(/** @type {string[]} */ models) {
  const loaded = await Promise.all(models.map(model => NVLM.load(model)))
  const memory = await Promise.all(models.map(memoryOf))
  /** @type {(string | number)[][]} */
  const lines = []
  for (const [tiles, width, height] of PICTURES) {
    /** @type {Awaited<ReturnType<typeof measure>>[][]} */
    const runs = models.map(() => [])
    for (let round = -5; round < ROUNDS; round++)
      for (const [index, nvlm] of loaded.entries()) {
        const run = await measure(nvlm, width, height)
        if (round >= 0) runs[index]?.push(run)
      }
    for (const [index, model] of models.entries()) {
      const own = runs[index] ?? []
      const tokens = own[0]?.tokens ?? 0
      const { rows, kilobytes } = memory[index]?.(tiles, tokens) ?? { rows: 0, kilobytes: 0 }
      const times = [spread(own.map(run => run.prefill)), spread(own.map(run => run.first))]
      const held = await heldKilobytes(model, width, height)
      lines.push([tiles, titleOf(model), tokens, rows, ...times, kilobytes.toFixed(1), held.toFixed(1)])
    }
  }
  for (const nvlm of loaded) await nvlm.dispose()
  const head = [
    'tiles',
    '',
    'tokens',
    'rows looked at',
    'prefill, ms',
    'first token, ms',
    'keys and values, kB',
    'memory taken, kB',
  ]
  return `${ROUNDS} new pictures each, ${cpus()[0]?.model}, ${cpus().length} cores: median (p10 – p90).\n\n${table([head, ...lines])}`
}

const { values, positionals } = parseArgs({
  options: { 'held-out': { type: 'string', default: '' } },
  allowPositionals: true,
})
const [part, ...models] = positionals
if (part !== 'accuracy' && part !== 'cost') throw new Error('say accuracy or cost, then the models')
const written = part === 'cost' ? await cost(models) : await accuracy(models, values['held-out'])
console.log(written)
const document = readFileSync(DOCUMENT, 'utf8')
const [before, , after] = document.split(new RegExp(`(?<=<!-- ${part} -->\n)([^]*)(?=<!-- /${part} -->)`))
if (after === undefined) throw new Error(`${DOCUMENT} has no markers for ${part}`)
writeFileSync(DOCUMENT, `${before}${written}\n${after}`)
