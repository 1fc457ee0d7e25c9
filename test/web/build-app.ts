import { cp, mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Build the test page as an application that bundles with esbuild does: the page and the library's worker are entries, and
 * ONNX Runtime's WebAssembly is copied beside them.
 *
 * @returns a new folder; the caller removes it
 */
export async function buildApp(): Promise<string> {
  const parent = `${root}node_modules/.cache`
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(`${parent}/nvlm-web-`)
  await build({
    entryPoints: {
      page: `${root}test/web/page/page.ts`,
      'engine-worker-web': `${root}src/engine-worker-web.ts`,
    },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: folder,
    logLevel: 'error',
  })
  const engine = `${root}node_modules/onnxruntime-web/dist`
  for (const name of await readdir(engine)) {
    if (/^ort-wasm-simd-threaded(\.(jspi|asyncify))?\.wasm$/.test(name))
      await cp(`${engine}/${name}`, `${folder}/${name}`)
  }
  return folder
}
