// @ts-check
// Ask nvlm-ts the held-out questions and compare with the truth and with PyTorch's answers.
//
//   node examples/train-tiny/evaluate.mjs [model folder]
//
// Prints a Markdown table; exits with 1 if fewer than 99 % of the answers equal PyTorch's.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'

/** @typedef {{ image: string, group: string, topic: string, question: string, truth: string, pytorch: string }} Row */

const heldOut = new URL('heldout/', import.meta.url)
/** @type {Row[]} */
const rows = JSON.parse(readFileSync(new URL('questions.json', heldOut), 'utf8'))
const nvlm = await NVLM.load(process.argv[2])

/** @type {Map<string, { asked: number, right: number, equal: number }>} */
const groups = new Map()
const started = performance.now()
for (const { image, group, question, truth, pytorch } of rows) {
  // the pictures have no EXIF orientation, so the default equals the official behaviour
  const { text } = await nvlm.generate(question, {
    images: [fileURLToPath(new URL(image, heldOut))],
    maxTokens: 64,
  })
  for (const name of [group, 'all']) {
    const counts = groups.get(name) ?? { asked: 0, right: 0, equal: 0 }
    groups.set(name, counts)
    counts.asked++
    if (text === truth) counts.right++
    if (text === pytorch) counts.equal++
  }
}
const seconds = (performance.now() - started) / 1000
await nvlm.dispose()

console.log('| pictures | asked | right | equal to PyTorch |\n|---|---|---|---|')
const percent = (/** @type {number} */ part, /** @type {number} */ whole) =>
  `${((100 * part) / whole).toFixed(1)} %`
const names = [...groups.keys()].filter(name => name !== 'all')
for (const name of [...names, 'all']) {
  const { asked, right, equal } = /** @type {{ asked: number, right: number, equal: number }} */ (
    groups.get(name)
  )
  console.log(`| ${name} | ${asked} | ${percent(right, asked)} | ${percent(equal, asked)} |`)
}
console.log(`\n${rows.length} answers in ${seconds.toFixed(1)} s on ${nvlm.info.device.decoder}`)
const all = groups.get('all')
if (!all || all.equal < 0.99 * all.asked) process.exitCode = 1
