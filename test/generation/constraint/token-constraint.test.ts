import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { AnswerFormat } from '../../../src/generation/answer-format.js'
import type { JSONSchema } from '../../../src/generation/json-schema/json-schema.js'
import { createSchemaCheck } from '../../../src/generation/json-schema/schema-check.js'
import {
  allowedIds,
  allowedIdsOneByOne,
  bytesOf,
  CompiledFormat,
  randomAnswer,
  regexes,
  STOP_ID,
  schemas,
} from './random-answers.js'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const seeds = fc.nat(1_000_000)
const options = { matchesUnits: true }
const schemaFormat = (schema: JSONSchema): AnswerFormat => ({ type: 'schema', schema, ...options })
const formats: fc.Arbitrary<AnswerFormat> = fc.oneof(
  schemas.map(schemaFormat),
  regexes.map(source => ({ type: 'regex' as const, source, flags: '' })),
  fc.constant<AnswerFormat>({ type: 'choices', choices: ['a', 'aa', 'aab', '日本', '日'] }),
)

describe('random logits', () => {
  test('end in a value of the schema, or are cut off by maxTokens', async () => {
    let numStopped = 0
    await fc.assert(
      fc.asyncProperty(schemas, seeds, async (schema, seed) => {
        const constraint = new CompiledFormat(schemaFormat(schema)).open()
        const { bytes, finishReason } = await randomAnswer(constraint, seed, 80)
        if (finishReason === 'length') return
        numStopped++
        expect(finishReason).toBe('stop')
        expect(constraint.isComplete).toBe(true)
        const text = strict.decode(bytes)
        const value = JSON.parse(text)
        expect(createSchemaCheck(schema, options)(value), text).toBe(true)
        expect(z.fromJSONSchema(schema as never).safeParse(value).success, text).toBe(true)
      }),
      { numRuns: 300 },
    )
    expect(numStopped).toBeGreaterThan(100)
  })

  test('end in a text that the regular expression matches, or are cut off by maxTokens', async () => {
    let numStopped = 0
    await fc.assert(
      fc.asyncProperty(regexes, seeds, async (source, seed) => {
        const constraint = new CompiledFormat({ type: 'regex', source, flags: '' }).open()
        const { bytes, finishReason } = await randomAnswer(constraint, seed, 40)
        if (finishReason === 'length') return
        numStopped++
        expect(strict.decode(bytes)).toMatch(new RegExp(`^(?:${source})$`, 'u'))
      }),
      { numRuns: 300 },
    )
    expect(numStopped).toBeGreaterThan(100)
  })
})

describe('the tokens that are allowed', () => {
  test('are those that lead on when each is looked at alone, inside of characters too', async () => {
    await fc.assert(
      fc.asyncProperty(formats, seeds, fc.nat(12), async (format, seed, numTokens) => {
        const compiled = new CompiledFormat(format)
        const { ids } = await randomAnswer(compiled.open(), seed, numTokens + 1)
        const prefix = ids.slice(0, numTokens).filter(id => id !== STOP_ID)
        const constraint = compiled.open()
        for (const id of prefix) constraint.accept(id)
        expect(allowedIds(constraint)).toEqual(allowedIdsOneByOne(format, bytesOf(prefix)))
      }),
      { numRuns: 300 },
    )
  })

  test('are the same for all answers at one place, whatever the others do meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(formats, seeds, seeds, async (format, seed, otherSeed) => {
        const compiled = new CompiledFormat(format)
        const { ids } = await randomAnswer(compiled.open(), seed, 20)
        const [fork, fresh] = [compiled.open(), new CompiledFormat(format).open()]
        for (const [index, id] of ids.entries()) {
          if (index % 5 === 2) await randomAnswer(compiled.open(), otherSeed, 8)
          expect(allowedIds(fork)).toEqual(allowedIds(fresh))
          fork.accept(id)
          fresh.accept(id)
        }
        expect(fork.isComplete).toBe(fresh.isComplete)
      }),
      { numRuns: 60 },
    )
  })

  test('are never control tokens, and a token that is not allowed is an error', () => {
    const constraint = new CompiledFormat({ type: 'choices', choices: ['ab'] }).open()
    expect(allowedIds(constraint)).not.toContain(STOP_ID)
    expect(() => constraint.accept(STOP_ID - 1)).toThrowError(/breaks the grammar/)
    expect(() => constraint.accept(STOP_ID)).toThrowError(/breaks the grammar/)
    constraint.accept(0x61)
    constraint.accept(0x62)
    expect(allowedIds(constraint)).toEqual([STOP_ID])
    constraint.accept(STOP_ID)
    expect(() => constraint.accept(0x61)).toThrowError(/breaks the grammar/)
  })
})
