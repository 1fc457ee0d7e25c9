// @ts-check
// Compile each source to the text beside its folder: npm run build:wasm
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

/** Sources below `src`, with the name that their code has as text. */
const SOURCES = {
  'formats/blocks/assembly/convert-rows.ts': 'convertRowsWasm',
  'image/assembly/resample.ts': 'resampleWasm',
}

/** @typedef {keyof typeof SOURCES} Source */

/**
 * The text of the module that carries a source's code, from the source as it is now.
 *
 * @param {Source} path
 */
export async function compileAssembly(path) {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const source = readFileSync(placeOf(path), 'utf8')
  /** @type {Map<string, Uint8Array>} */
  const written = new Map()
  const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--enable', 'simd']
  const { error, stderr } = await asc.main([name, ...options, '--outFile', 'code.wasm'], {
    readFile: asked => (asked === name ? source : null),
    writeFile: (file, contents) => void written.set(file, /** @type {Uint8Array} */ (contents)),
    listFiles: () => [],
  })
  const code = written.get('code.wasm')
  if (error || code === undefined) throw new Error(`${path}: ${stderr}`)
  return [
    `/** \`assembly/${name}\` as WebAssembly, in base64. Written by \`npm run build:wasm\`; a test compares it. */`,
    `export const ${SOURCES[path]} =`,
    `  '${Buffer.from(code).toString('base64')}'`,
    '',
  ].join('\n')
}

/**
 * Where the text of a source's code is kept.
 *
 * @param {Source} path
 */
export function compiledPlace(path) {
  return placeOf(path.replace('assembly/', '').replace('.ts', '-wasm.ts'))
}

/** @param {string} path */
function placeOf(path) {
  return new URL(`../../${path}`, import.meta.url)
}

export const assemblySources = /** @type {Source[]} */ (Object.keys(SOURCES))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const path of assemblySources) writeFileSync(compiledPlace(path), await compileAssembly(path))
}
