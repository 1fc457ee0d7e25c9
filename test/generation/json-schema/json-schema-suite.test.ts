import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../../src/core/errors.js'
import { GrammarStates } from '../../../src/generation/constraint/grammar-states.js'
import type { JSONSchema } from '../../../src/generation/json-schema/json-schema.js'
import { createSchemaCheck } from '../../../src/generation/json-schema/schema-check.js'
import { schemaGrammar } from '../../../src/generation/json-schema/schema-grammar.js'
import { spellings } from './spellings.js'

interface Group {
  readonly file: string
  readonly description: string
  readonly schema: JSONSchema
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[]
}

const path = fileURLToPath(new URL('../../golden/json-schema/suite.json', import.meta.url))
const groups = JSON.parse(readFileSync(path, 'utf8')) as readonly Group[]
const isFormat = ({ file }: Group) => file.startsWith('optional/format/')

/** What a schema is refused for; the only reasons that the suite meets. */
const REFUSALS =
  /keyword "(patternProperties|dependentSchemas|contains|unevaluatedProperties|if|then|else|uniqueItems|not|\$dynamicRef|\$dynamicAnchor)"|"\$id" inside|"\$ref" to another document|"oneOf" whose branches/

/** The grammar's states; undefined for a schema that is refused. */
function compile(schema: JSONSchema): { readonly accepts: (data: unknown) => boolean } | undefined {
  try {
    const states = new GrammarStates(schemaGrammar(schema))
    return { accepts: data => spellings(data).some(text => states.accepts(text)) }
  } catch (error) {
    if (!(error instanceof NVLMError)) throw error
    if (error.code === 'INVALID_OPTION' && /no value can fit/.test(error.message))
      return { accepts: () => false }
    expect(error.code).toBe('SCHEMA_UNSUPPORTED')
    expect(error.message).toMatch(REFUSALS)
    return undefined
  }
}

describe("the official suite's keywords", () => {
  let numCompared = 0
  const names = [...new Set(groups.filter(group => !isFormat(group)).map(({ file }) => file))]

  test.each(names)('%s: what is allowed is exactly what validates', file => {
    for (const { description, schema, tests } of groups.filter(group => group.file === file)) {
      const compiled = compile(schema)
      if (!compiled) continue
      const check = createSchemaCheck(schema)
      for (const { description: name, data, valid } of tests) {
        numCompared++
        expect(compiled.accepts(data), `${description}: ${name}`).toBe(valid)
        expect(check(data), `${description}: ${name}, checked`).toBe(valid)
      }
    }
  })

  test('are compared, not skipped', () => {
    expect(numCompared).toBeGreaterThan(550)
  })
})

describe("the official suite's formats", () => {
  const names = groups.filter(isFormat).map(({ file }) => file)

  test.each([...new Set(names)])('%s: nothing that is invalid is allowed', file => {
    let numAllowed = 0
    for (const { description, schema, tests } of groups.filter(group => group.file === file)) {
      const compiled = compile(schema)
      expect(compiled).toBeDefined()
      for (const { description: name, data, valid } of tests) {
        const isAllowed = compiled!.accepts(data)
        if (isAllowed) numAllowed++
        if (!valid) expect(isAllowed, `${description}: ${name}`).toBe(false)
      }
    }
    // what is valid and not allowed are rare forms: leap seconds, quoted mail names and the like
    expect(numAllowed).toBeGreaterThan(6)
  })
})
