import { expect, test } from 'vitest'
import { type DtypeOption, describeDtypes, dtypePresets, parseDtype } from '../../src/prepare/stage-dtypes.js'

test.each<[DtypeOption, string, object]>([
  ['fp32', 'fp32', { vision: 'fp32', projector: 'fp32', decoder: 'fp32' }],
  ['q4', 'q4', { vision: 'fp32', projector: 'q8', decoder: 'q4' }],
  ['decoder=q4,vision=fp32', 'vision=fp32,projector=fp32,decoder=q4', { decoder: 'q4', projector: 'fp32' }],
  [' decoder = q8 , projector = q8', 'q8', { vision: 'fp32' }],
  ['vision=int8,decoder=q4', 'vision=int8,projector=fp32,decoder=q4', { vision: 'int8' }],
  [{ vision: 'q8' }, 'vision=q8,projector=fp32,decoder=fp32', { vision: 'q8' }],
])('reads %s', (option, text, stages) => {
  expect(parseDtype(option)).toMatchObject(stages)
  expect(describeDtypes(parseDtype(option))).toBe(text)
  expect(parseDtype(text)).toEqual(parseDtype(option))
})

test.each<[unknown, string]>([
  ['q5', '"q5" is none'],
  ['', '"" is none'],
  ['head=q4', 'names no stage'],
  ['decoder=q5', 'names no dtype'],
  ['decoder=q4,decoder=q8', 'names decoder twice'],
  ['vision=q4', '4-bit vision'],
  [{ vision: 'q4' }, '4-bit vision'],
  ['int8', 'vision only'],
  ['decoder=int8', 'vision only'],
  [{ projector: 'int8' }, 'vision only'],
  [{ decoder: 'int4' }, ''],
  [{ text: 'q4' }, ''],
  [4, ''],
])('refuses %s', (option, mention) => {
  expect(() => parseDtype(option as DtypeOption)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(mention) }),
  )
})

test('no name for all stages rounds the vision tower to 4 bits', () => {
  for (const stages of Object.values(dtypePresets)) expect(stages.vision).not.toBe('q4')
})
