import { createContext, runInContext } from 'node:vm'
import { expect, test } from 'vitest'
import { isDType } from '../../src/core/dtypes.js'
import { invariant, NVLMError } from '../../src/core/errors.js'
import { numElements } from '../../src/core/tensor.js'

test('an error carries its code, hint and cause, and no marker that shows', () => {
  const cause = new Error('EACCES')
  const error = new NVLMError('MODEL_INVALID', 'a.json: is damaged', { hint: 'Download it again.', cause })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'NVLMError', code: 'MODEL_INVALID', hint: 'Download it again.' })
  expect(error.cause).toBe(cause)
  expect(Object.keys(error).sort()).toEqual(['code', 'details', 'hint', 'name'])
  expect(error.details).toEqual({})
  const overflow = new NVLMError('CONTEXT_OVERFLOW', 'too long', {
    details: { neededTokens: 9, contextLength: 8 },
  })
  expect(overflow.details).toEqual({ neededTokens: 9, contextLength: 8 })
  expect('cause' in new NVLMError('DISPOSED', 'was disposed')).toBe(false)
})

test('isInstance knows errors of another copy of the package and of another realm', () => {
  const foreign = runInContext(
    "const e = new Error('x'); Object.defineProperty(e, Symbol.for('nvlm-ts.error'), { value: true }); e",
    createContext({}),
  )
  expect(foreign instanceof Error).toBe(false)
  expect(NVLMError.isInstance(foreign)).toBe(true)
  expect(NVLMError.isInstance(new NVLMError('NUMERIC', 'NaN'))).toBe(true)
  for (const other of [new Error('x'), { code: 'NUMERIC' }, null, undefined, 'NUMERIC']) {
    expect(NVLMError.isInstance(other)).toBe(false)
  }
})

test('an invariant stops on what our own code must never reach', () => {
  expect(() => invariant(0, 'zero')).toThrow('nvlm-ts invariant broken: zero')
  expect(() => invariant(1, 'one')).not.toThrow()
})

test('element types are known by their own names only', () => {
  expect(['F32', 'BF16', 'BOOL'].every(isDType)).toBe(true)
  expect(['f32', 'toString', '__proto__', '', 1, undefined].some(isDType)).toBe(false)
})

test('a scalar has one element, a shape with a zero none', () => {
  expect(numElements([])).toBe(1)
  expect(numElements([2, 3, 4])).toBe(24)
  expect(numElements([5, 0])).toBe(0)
})
