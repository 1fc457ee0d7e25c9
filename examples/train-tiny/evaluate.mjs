// @ts-check
// Ask nvlm-ts the held-out questions and compare with the truth and with PyTorch's answers.
//
//   node examples/train-tiny/evaluate.mjs [--held-out folder] [model folder…]
//
// Prints a Markdown table for each model; exits with 1 if fewer than 99 % of the answers of one equal PyTorch's.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ask, percent, table } from './held-out.mjs'

const ours = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url))
const { values, positionals } = parseArgs({
  options: { 'held-out': { type: 'string', default: ours('heldout') } },
  allowPositionals: true,
})
const models = positionals.length > 0 ? positionals : [ours('../models/nvlm-tiny')]

for (const model of models) {
  const { name, groups, seconds, device } = await ask(model, values['held-out'], row => [row.group, 'all'])
  const names = [...groups.keys()].filter(group => group !== 'all')
  const rows = [...names, 'all'].map(group => {
    const { asked, right, equal } = groups.get(group) ?? { asked: 0, right: 0, equal: 0 }
    return [group, asked, percent(right, asked), percent(equal, asked)]
  })
  const all = groups.get('all')
  console.log(
    `${name}\n\n${table([['pictures', 'asked', 'right', 'equal to PyTorch'], ...rows])}\n` +
      `\n${all?.asked} answers in ${seconds.toFixed(1)} s on ${device}\n`,
  )
  if (!all || all.equal < 0.99 * all.asked) process.exitCode = 1
}
