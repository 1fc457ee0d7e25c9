import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inspectModel } from '../../src/nvlm/inspect-model.js'
import { checkpointFolder } from '../support/official-golden.js'
import { watchedFiles } from '../support/watched-files.js'

test('inspecting reads the header of the weights and not one byte of them', async () => {
  const folder = checkpointFolder('nvlmd-tiny-fp32')
  const files = watchedFiles()
  const { family, vision } = await inspectModel(files, folder)
  expect(family).toBe('nvlm-d')
  expect(vision).toBeDefined()
  const headerBytes = Number(readFileSync(`${folder}/model.safetensors`).readBigUInt64LE(0))
  expect(files.counts).toMatchObject({ numBytesRead: 8 + headerBytes, numOpen: 0 })
})

test('inspecting says of each device whether it can run the model, and why not', async () => {
  const folder = checkpointFolder('internvl-tiny-fp32')
  const { needs, devices } = await inspectModel(watchedFiles(), folder, {}, ['cpu', 'webgpu'])
  expect(devices).toEqual([
    { device: 'cpu', canRun: 'yes' },
    { device: 'cuda', canRun: 'no', reason: 'its libraries are not installed' },
    { device: 'webgpu', canRun: 'unknown', reason: 'not tested yet; its memory is not known' },
    { device: 'dml', canRun: 'no', reason: 'its libraries are not installed' },
    { device: 'coreml', canRun: 'no', reason: 'its libraries are not installed' },
  ])
  const sizes = needs!.map(({ memoryBytes }) => memoryBytes)
  const smallest = needs!.find(({ memoryBytes }) => memoryBytes === Math.min(...sizes))!
  const tight = await inspectModel(watchedFiles(), folder, { memoryBytes: smallest.memoryBytes }, ['cpu'])
  expect(tight.devices[0]).toMatchObject({ canRun: 'yes', reason: expect.stringContaining(smallest.dtype) })
})
