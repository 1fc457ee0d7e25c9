import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

/** The house, ground floor first. Imports run down only; rooms on one floor don't see each other. */
const FLOORS: readonly (readonly string[])[] = [
  ['core'],
  ['platform'],
  ['backend', 'formats'],
  ['graph', 'hub'],
  ['tokenizer', 'image', 'vision', 'projector', 'decoder'],
  ['generation'],
  ['models'],
  ['prepare'],
  ['nvlm'],
  ['cli', 'server', 'otel', 'remote', 'ai-sdk', 'langchain'],
  ['index.ts'],
  ['node.ts', 'web.ts', 'engine-worker-web.ts', 'server.ts'],
  ['server-node.ts', 'any-platform.ts'],
  ['cli.ts', 'otel.ts', 'ai-sdk.ts', 'langchain.ts'],
]

/** Where modules that only Node has may be named; the other folders know no platform. */
const NODE_PLACES = [
  'platform/node/',
  'backend/node/',
  'cli/',
  'server/node/',
  'node.ts',
  'cli.ts',
  'otel.ts',
  'nvlm/worker/',
]

/** Worker code is no platform of its own: it may have threads and processes, and nothing else of Node. */
const WORKER_MODULES = ['node:worker_threads', 'node:child_process']

/** Packages tied to a platform, and the one folder that may name each. */
const PACKAGE_PLACES: Readonly<Record<string, string>> = {
  'onnxruntime-node': 'backend/node/',
  'onnxruntime-web': 'backend/web/',
  sharp: 'platform/node/',
  undici: 'platform/node/',
  'ipaddr.js': 'platform/node/',
  '@opentelemetry/api': 'otel/',
  '@ai-sdk/provider': 'ai-sdk/',
  '@langchain/core': 'langchain/',
}

const MAX_LINES = 300
const NAMELESS = ['utils', 'util', 'helpers', 'helper', 'common', 'misc']

/** Everything in `files` (path below `src` → text) that breaks the floor plan, as sentences. */
function findBreaches(files: ReadonlyMap<string, string>): readonly string[] {
  return [...files].flatMap(([path, text]) => [
    ...findNameBreaches(path, text),
    ...importsOf(text).flatMap(name => findImportBreach(path, name) ?? []),
  ])
}

function findNameBreaches(path: string, text: string): readonly string[] {
  const breaches: string[] = []
  const room = roomOf(path)
  if (floorOf(room) < 0) breaches.push(`${path}: "${room}" is not a room of the floor plan`)
  if (!/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path)) breaches.push(`${path}: is not kebab-case`)
  const nameless = path.split(/[/.]/).find(part => NAMELESS.includes(part))
  if (nameless) breaches.push(`${path}: "${nameless}" says nothing about what is inside`)
  const numLines = text.split('\n').length - 1
  if (numLines > MAX_LINES) breaches.push(`${path}: has ${numLines} lines, at most ${MAX_LINES}`)
  return breaches
}

function findImportBreach(path: string, name: string): string | undefined {
  if (name.startsWith('.')) return findRelativeBreach(path, name)
  if (name.startsWith('node:'))
    return isNodeAllowed(path, name) ? undefined : `${path}: ${name} is out of place`
  const packageName = name.split('/', name.startsWith('@') ? 2 : 1).join('/')
  if (packageName === 'nvlm-ts') return `${path}: imports the package itself`
  const place = PACKAGE_PLACES[packageName]
  return place && !path.startsWith(place) ? `${path}: ${packageName} belongs in ${place}` : undefined
}

function isNodeAllowed(path: string, name: string): boolean {
  const place = NODE_PLACES.find(start => path.startsWith(start))
  return place === 'nvlm/worker/' ? WORKER_MODULES.includes(name) : place !== undefined
}

function findRelativeBreach(path: string, name: string): string | undefined {
  if (!name.endsWith('.js')) return `${path}: import of ${name} must end in .js`
  const target = new URL(name, `file:///${path}`).pathname.slice(1).replace(/js$/, 'ts')
  const [from, to] = [roomOf(path), roomOf(target)]
  if (from === to || floorOf(to) < floorOf(from)) return undefined
  const direction = floorOf(to) === floorOf(from) ? 'sideways' : 'up'
  return `${path}: imports ${direction} from "${from}" to "${to}"`
}

function roomOf(path: string): string {
  return path.split('/')[0]!
}

function floorOf(room: string): number {
  return FLOORS.findIndex(rooms => rooms.includes(room))
}

/** Every module a file names: import, import type, export from, dynamic import, import type query, require. */
function importsOf(text: string): readonly string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(file => file.fileName)
}

function readSource(): ReadonlyMap<string, string> {
  const root = fileURLToPath(new URL('../src/', import.meta.url))
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).map(path =>
    path.replaceAll('\\', '/'),
  )
  return new Map(paths.filter(isTypeScript).map(path => [path, readFileSync(`${root}/${path}`, 'utf8')]))
}

function isTypeScript(path: string): boolean {
  return path.endsWith('.ts')
}

describe('the floor plan', () => {
  test('holds for every file under src', () => {
    const source = readSource()
    expect(source.size).toBeGreaterThan(10)
    expect(findBreaches(source)).toEqual([])
  })

  test.each([
    [
      'an import that runs up',
      'core/a.ts',
      `import { x } from '../nvlm/x.js'`,
      'imports up from "core" to "nvlm"',
    ],
    ['an import of types that runs up', 'core/a.ts', `import type { X } from '../graph/x.js'`, 'imports up'],
    ['a re-export that runs up', 'graph/a.ts', `export { x } from '../decoder/x.js'`, 'imports up'],
    ['a dynamic import that runs up', 'graph/a.ts', `const x = await import('../cli/x.js')`, 'imports up'],
    ['an import type query that runs up', 'core/a.ts', `type X = import('../nvlm/x.js').X`, 'imports up'],
    [
      'a room that sees its neighbour',
      'vision/a.ts',
      `import { x } from '../decoder/x.js'`,
      'imports sideways',
    ],
    ['a neighbour seen from a sub-folder', 'formats/onnx/a.ts', `import '../../backend/x.js'`, 'sideways'],
    ['a room that imports an entry file', 'nvlm/a.ts', `import { x } from '../node.js'`, 'imports up'],
    ['a platform-free entry that imports one with a platform', 'index.ts', `export * from './node.js'`, 'up'],
    ['Node outside its places', 'platform/a.ts', `import { open } from 'node:fs'`, 'node:fs is out of place'],
    ['Node behind require', 'core/a.ts', `const fs = require('node:fs')`, 'node:fs is out of place'],
    ['files in worker code', 'nvlm/worker/a.ts', `import { open } from 'node:fs'`, 'node:fs is out of place'],
    [
      'an engine outside its backend',
      'decoder/a.ts',
      `import 'onnxruntime-node'`,
      'belongs in backend/node/',
    ],
    ['a part of an engine', 'backend/a.ts', `import 'onnxruntime-web/webgpu'`, 'belongs in backend/web/'],
    ['an import without an extension', 'core/a.ts', `import { x } from './x'`, 'must end in .js'],
    ['a room that nobody planned', 'attic/a.ts', '', '"attic" is not a room'],
    ['a file outside all rooms', 'web2.ts', '', '"web2.ts" is not a room'],
    ['a name that says nothing', 'core/utils.ts', '', '"utils" says nothing'],
    ['a name that is not kebab-case', 'core/myFile.ts', '', 'is not kebab-case'],
    ['a file that is too long', 'core/a.ts', 'let x\n'.repeat(MAX_LINES + 1), 'has 301 lines'],
    ['the package itself', 'cli/a.ts', `import { NVLM } from 'nvlm-ts'`, 'imports the package itself'],
  ])('refuses %s', (_, path, text, breach) => {
    expect(findBreaches(new Map([[path, text]]))).toEqual([expect.stringContaining(breach)])
  })

  test.each([
    ['an import that runs down', 'nvlm/a.ts', `import { x } from '../core/x.js'`],
    ['an import inside a room', 'platform/node/a.ts', `import { x } from '../platform.js'`],
    ['Node in its places', 'platform/node/a.ts', `import { open } from 'node:fs'`],
    ['threads in worker code', 'nvlm/worker/a.ts', `import { parentPort } from 'node:worker_threads'`],
    ['an entry on top of the other', 'node.ts', `export * from './index.js'`],
    ['a package for any platform', 'models/a.ts', `import { z } from 'zod'`],
    [
      'an import inside a comment or string',
      'core/a.ts',
      `// import '../nvlm/x.js'\nconst x = "import '../cli/y.js'"`,
    ],
  ])('allows %s', (_, path, text) => {
    expect(findBreaches(new Map([[path, text]]))).toEqual([])
  })
})
