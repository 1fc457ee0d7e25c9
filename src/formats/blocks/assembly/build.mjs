// @ts-check
// Compile convert-rows.ts to ../convert-rows-wasm.ts: npm run build:wasm
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const SOURCE = 'convert-rows.ts'
const MODULE = 'convert-rows.wasm'

/** The text of ../convert-rows-wasm.ts, from the source as it is now. */
export async function compileConvertRows() {
  const source = readFileSync(new URL(SOURCE, import.meta.url), 'utf8')
  /** @type {Map<string, Uint8Array>} */
  const written = new Map()
  const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'simd']
  const { error, stderr } = await asc.main([SOURCE, ...options, '--outFile', MODULE], {
    readFile: name => (name === SOURCE ? source : null),
    writeFile: (name, contents) => void written.set(name, /** @type {Uint8Array} */ (contents)),
    listFiles: () => [],
  })
  const code = written.get(MODULE)
  if (error || code === undefined) throw new Error(`${SOURCE}: ${stderr}`)
  return [
    '/** `assembly/convert-rows.ts` as WebAssembly, in base64. Written by `npm run build:wasm`; a test compares it. */',
    'export const convertRowsWasm =',
    `  '${Buffer.from(code).toString('base64')}'`,
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('../convert-rows-wasm.ts', import.meta.url), await compileConvertRows())
}
