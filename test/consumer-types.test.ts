import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const ANYWHERE = `
import { NVLM, NVLMError, type GenerateResult } from 'nvlm-ts'
import { createServer } from 'nvlm-ts/server'
import { nvlmModel } from 'nvlm-ts/ai-sdk'
const nvlm: NVLM = await NVLM.load('models/internvl3-1b', { device: 'webgpu' })
const result: GenerateResult = await nvlm.generate('What is this?', { images: [new Uint8Array(8)] })
await NVLM.load({ remote: { baseURL: 'http://localhost:8000', model: 'nvidia/NVLM-D-72B' } })
export const parts = [result.text, createServer(nvlm).fetch, nvlmModel(nvlm), new NVLMError('NUMERIC', 'x')]
`
const IN_NODE = `
import { NVLM as NodeNVLM, prepareCheckpoint, loadStages } from 'SPECIFIER'
export const tiny: NodeNVLM = await NodeNVLM.load()
export const big = await NodeNVLM.load('OpenGVLab/InternVL3-1B', { worker: 'process', dtype: 'q4' })
export const manifest = await prepareCheckpoint('checkpoint', { out: "prepared", dtype: 'q4' })
export const stages = await loadStages()
`
const IN_BROWSER = `
import { NVLM as WebNVLM, modelCache } from 'SPECIFIER'
export const cached = await modelCache.list()
export const fetched: WebNVLM = await WebNVLM.load(new URL('https://example.org/model/'), { wasmPaths: '/ort/' })
`

const { Bundler, NodeNext } = ts.ModuleResolutionKind
const bundler = { module: ts.ModuleKind.ESNext, moduleResolution: Bundler }
const nodeNext = { module: ts.ModuleKind.NodeNext, moduleResolution: NodeNext }

let project: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'nvlm-consumer-'))
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(ROOT, join(project, 'node_modules/nvlm-ts'))
  symlinkSync(join(ROOT, 'node_modules/@types'), join(project, 'node_modules/@types'))
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

/** What TypeScript says of a module of a project that has the package. */
function complaints(source: string, options: ts.CompilerOptions): string[] {
  const file = join(project, 'app.ts')
  writeFileSync(file, source)
  const program = ts.createProgram([file], {
    ...{ target: ts.ScriptTarget.ES2022, strict: true, noEmit: true, skipLibCheck: true, types: ['node'] },
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts'],
    ...options,
  })
  return ts.getPreEmitDiagnostics(program).map(one => ts.flattenDiagnosticMessageText(one.messageText, '\n'))
}

describe('a project that has the package is told the types of', () => {
  test('Node, where TypeScript knows that it is one', () => {
    const source = ANYWHERE + IN_NODE.replace('SPECIFIER', 'nvlm-ts')
    expect(complaints(source, nodeNext)).toEqual([])
    expect(complaints(IN_BROWSER.replace('SPECIFIER', 'nvlm-ts'), nodeNext)).not.toEqual([])
  })

  test('browsers, where it has their condition', () => {
    const options = { ...bundler, customConditions: ['browser'] }
    expect(complaints(ANYWHERE + IN_BROWSER.replace('SPECIFIER', 'nvlm-ts'), options)).toEqual([])
    expect(complaints(IN_NODE.replace('SPECIFIER', 'nvlm-ts'), options)).not.toEqual([])
  })

  test('both, where it can not tell', () => {
    const both = (IN_NODE + IN_BROWSER).replaceAll('SPECIFIER', 'nvlm-ts')
    expect(complaints(ANYWHERE + both, bundler)).toEqual([])
  })

  test('the one that is named', () => {
    const named =
      IN_NODE.replace('SPECIFIER', 'nvlm-ts/node') + IN_BROWSER.replace('SPECIFIER', 'nvlm-ts/web')
    expect(complaints(named, bundler)).toEqual([])
    expect(complaints(named, nodeNext)).toEqual([])
  })
})
