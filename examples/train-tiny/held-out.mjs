// @ts-check
// The held-out questions, and what nvlm-ts answers to them.
import { readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { NVLM } from 'nvlm-ts'

/**
 * `answers` are PyTorch's, by the name of the model's folder.
 * @typedef {{ image: string, group: string, topic: string, tiles: number, question: string, truth: string,
 *   answers: Record<string, string> }} Row
 * @typedef {{ asked: number, right: number, equal: number }} Counts
 * @typedef {{ name: string, groups: Map<string, Counts>, seconds: number, device: string }} Asked
 */

/** @returns {Row[]} */
export function readRows(/** @type {string} */ folder) {
  return JSON.parse(readFileSync(join(folder, 'questions.json'), 'utf8'))
}

/**
 * Ask one model all questions; `groupsOf` names the groups that a row is counted in.
 * @param {string} model
 * @param {string} folder
 * @param {(row: Row) => string[]} groupsOf
 * @returns {Promise<Asked>}
 */
export async function ask(model, folder, groupsOf) {
  const name = basename(resolve(model))
  const nvlm = await NVLM.load(model)
  const device = nvlm.info.device.decoder
  /** @type {Map<string, Counts>} */
  const groups = new Map()
  const started = performance.now()
  for (const row of readRows(folder)) {
    // the pictures have no EXIF orientation, so the default equals the official behaviour
    const images = [join(folder, row.image)]
    const { text } = await nvlm.generate(row.question, { images, maxTokens: 64 })
    for (const group of groupsOf(row)) {
      const counts = groups.get(group) ?? { asked: 0, right: 0, equal: 0 }
      groups.set(group, counts)
      counts.asked++
      if (text === row.truth) counts.right++
      if (text === row.answers[name]) counts.equal++
    }
  }
  const seconds = (performance.now() - started) / 1000
  await nvlm.dispose()
  return { name, groups, seconds, device }
}

/** A Markdown table. */
export function table(/** @type {(string | number)[][]} */ rows) {
  const [head = [], ...body] = rows
  return [head, head.map(() => '---'), ...body].map(row => `| ${row.join(' | ')} |`).join('\n')
}

export function percent(/** @type {number} */ part, /** @type {number} */ whole) {
  return `${((100 * part) / whole).toFixed(1)} %`
}
