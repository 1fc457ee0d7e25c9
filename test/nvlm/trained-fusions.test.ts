import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NVLM } from '../../src/node.js'
import { projectFolder } from '../support/run-node.js'

/** A row of examples/train-tiny/heldout/questions.json; the answers are PyTorch's, by model. */
interface Row {
  readonly image: string
  readonly group: string
  readonly question: string
  readonly truth: string
  readonly answers: Readonly<Record<string, string>>
}

const heldOut = `${projectFolder}/examples/train-tiny/heldout`
const all: readonly Row[] = JSON.parse(readFileSync(`${heldOut}/questions.json`, 'utf8'))
/** The first pictures of every group: one tile and several, signs and shapes. */
const rows = all.filter(({ group }, index) => all.findIndex(row => row.group === group) > index - 3)

describe.each(['nvlm-tiny-x', 'nvlm-tiny-h'])('%s', name => {
  let nvlm: NVLM
  beforeAll(async () => {
    nvlm = await NVLM.load(`${projectFolder}/examples/models/${name}`, { worker: false })
  })
  afterAll(() => nvlm.dispose())

  test('answers about held-out pictures as PyTorch does', async () => {
    expect(rows.length).toBeGreaterThan(15)
    const answers: string[] = []
    for (const { image, question } of rows) {
      const { text } = await nvlm.generate(question, { images: [`${heldOut}/${image}`], maxTokens: 64 })
      answers.push(text)
    }
    expect(answers).toEqual(rows.map(row => row.answers[name]))
  })

  test('reads the sign of the examples', async () => {
    const images = [`${projectFolder}/examples/pictures/sign.png`]
    const { text } = await nvlm.generate('What does the sign say?', { images })
    expect(text).toBe('COFFEE $3.50')
  })
})
