import fc from 'fast-check'
import { createRandom } from '../../../src/core/random.js'
import { type AnswerFormat, formatGrammar } from '../../../src/generation/answer-format.js'
import { GrammarStates } from '../../../src/generation/constraint/grammar-states.js'
import {
  GrammarConstraint,
  StateMasks,
  type TokenConstraint,
} from '../../../src/generation/constraint/token-constraint.js'
import { TokenMasks } from '../../../src/generation/constraint/token-masks.js'
import { buildTokenTrie } from '../../../src/generation/constraint/token-trie.js'
import type { JSONSchema } from '../../../src/generation/json-schema/json-schema.js'
import { createSampler } from '../../../src/generation/sampler.js'
import { generateTokens } from '../../../src/generation/token-loop.js'

/** A small vocabulary with all that is awkward: bytes, cut characters, tokens across JSON's borders, twins. */
const WORDS =
  '":,{}[]|","|":|":"|{"|"}|"]|,"a|\\"|\\n|\\u00|aa|ab|abc|bcd|é|éa|日|日本|😀|0|1|12|-1|.5|00|true|false|null|fal|  | a|aa'.split(
    '|',
  )
const encoder = new TextEncoder()
const TOKENS: readonly (Uint8Array | undefined)[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...WORDS.map(word => encoder.encode(word)),
  Uint8Array.of(0x97, 0xa5),
  Uint8Array.of(0xa9, 0x22),
  Uint8Array.of(0xf0, 0x9f),
  Uint8Array.of(0x61, 0xe6, 0x97),
  // a control token, and the stop token
  undefined,
  undefined,
]
export const VOCAB_SIZE = TOKENS.length
export const STOP_ID = VOCAB_SIZE - 1
const tokenBytes = (id: number) => TOKENS[id]
const trie = await buildTokenTrie(VOCAB_SIZE, tokenBytes, async () => {})

/** A format compiled for that vocabulary. */
export class CompiledFormat {
  readonly states: GrammarStates
  private readonly masks: StateMasks

  constructor(format: AnswerFormat, tokenMasks = new TokenMasks(trie)) {
    this.states = new GrammarStates(formatGrammar(format))
    this.masks = new StateMasks(this.states, tokenMasks, [STOP_ID])
  }

  open(): TokenConstraint {
    return new GrammarConstraint(this.states, this.masks, { tokenBytes, stopTokenIds: [STOP_ID] })
  }
}

/** The tokens that a constraint allows. */
export function allowedIds(constraint: TokenConstraint): readonly number[] {
  const logits = new Float32Array(VOCAB_SIZE).fill(1)
  constraint.mask(logits)
  return [...logits.keys()].filter(id => logits[id] === 1)
}

/** The same by looking at every token by itself. */
export function allowedIdsOneByOne(format: AnswerFormat, bytes: Uint8Array): readonly number[] {
  const states = new GrammarStates(formatGrammar(format))
  const state = states.run(0, bytes)
  return [...TOKENS.keys()].filter(id => {
    const token = TOKENS[id]
    if (id === STOP_ID) return states.state(state).isAccepting
    return token !== undefined && states.run(state, token) >= 0
  })
}

/** An answer by random logits, through the sampler and the token loop. */
export async function randomAnswer(constraint: TokenConstraint, seed: number, maxTokens: number) {
  const random = createRandom(seed)
  const logits = () => ({
    data: Float32Array.from({ length: VOCAB_SIZE }, () => random.next() * 8),
    dims: [1, VOCAB_SIZE],
  })
  const steps = { length: 0, contextLength: 100_000, step: async () => logits() }
  const context = { random: createRandom(seed + 1), stopTokenIds: [STOP_ID], constraint }
  const sampler = createSampler(seed % 2 === 0 ? {} : { temperature: 1.5, topK: 50 }, context)
  const options = { sampler, stopTokenIds: [STOP_ID], maxTokens, constraint, nextTurn: async () => {} }
  const ids: number[] = []
  let finishReason: 'stop' | 'length' | undefined
  for await (const token of generateTokens(steps, logits(), options)) {
    ids.push(token.id)
    finishReason = token.finishReason
  }
  return { ids, bytes: bytesOf(ids), finishReason }
}

/** What some tokens spell. */
export function bytesOf(ids: readonly number[]): Uint8Array {
  return Uint8Array.from(ids.flatMap(id => [...(TOKENS[id] ?? [])]))
}

const length = fc.nat(4)
const lengths = fc
  .tuple(length, length, fc.boolean(), fc.boolean())
  .map(([min, more, hasMin, hasMax]) => ({ ...(hasMin && { min }), ...(hasMax && { max: min + more }) }))

const patterns = ['^[a-c]{1,3}$', 'b', '^(?:é|日)*$', '^a?[^a]{2}', '^\\d+(?:\\.\\d)?$', '[😀a]$']

const strings: fc.Arbitrary<JSONSchema> = fc
  .tuple(lengths, fc.option(fc.constantFrom(...patterns), { nil: undefined }))
  .map(([{ min, max }, pattern]) => ({
    type: 'string',
    // a pattern may have no text of a given length at all, which is refused
    ...(pattern === undefined && min !== undefined && { minLength: min }),
    ...(max !== undefined && { maxLength: pattern === undefined ? max : max + 4 }),
    ...(pattern !== undefined && { pattern }),
  }))

const numbers: fc.Arbitrary<JSONSchema> = fc
  .tuple(fc.constantFrom('integer', 'number'), fc.integer({ min: -50, max: 50 }), fc.option(fc.nat(60)))
  .map(([type, minimum, span]) => ({ type, minimum, ...(span !== null && { maximum: minimum + span }) }))

/** Any schema of the keywords that are supported, small. */
export const schemas: fc.Arbitrary<JSONSchema> = fc.letrec<{ readonly any: JSONSchema }>(tie => ({
  any: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    strings,
    numbers,
    fc.constantFrom<JSONSchema>(
      { type: 'boolean' },
      { type: 'null' },
      { enum: ['a', 'é', 1, null, 'ab'] },
      { const: '日本' },
      { type: ['integer', 'null'], maximum: 3, minimum: 0 },
    ),
    fc.tuple(tie('any'), lengths).map(([items, { min = 0, max = 4 }]) => ({
      type: 'array',
      items,
      minItems: min,
      maxItems: max,
    })),
    fc.tuple(tie('any'), tie('any')).map(([first, second]) => ({
      type: 'array',
      prefixItems: [first, second],
      items: false,
      minItems: 1,
    })),
    fc
      .tuple(tie('any'), tie('any'), fc.subarray(['a', 'é"']), fc.boolean())
      .map(([first, second, required, isOpen]) => ({
        type: 'object',
        properties: { a: first, 'é"': second },
        required,
        additionalProperties: isOpen && { type: 'boolean' },
      })),
    fc.tuple(tie('any'), tie('any')).map(anyOf => ({ anyOf })),
  ),
})).any

/** A regular expression that JavaScript reads in the same way. */
export const regexes: fc.Arbitrary<string> = fc.letrec<{ readonly any: string }>(tie => ({
  any: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.constantFrom('a', 'b', '[a-c]', '[^b]', '日', '[é日]', '\\d', '\\s', '"', '.'),
    fc
      .tuple(tie('any'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0,2}'))
      .map(parts => `(?:${parts[0]})${parts[1]}`),
    fc.tuple(tie('any'), tie('any')).map(parts => parts.join('')),
    fc.tuple(tie('any'), tie('any')).map(parts => `(?:${parts.join('|')})`),
  ),
})).any
