import { mkdir, mkdtemp } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Build TypeScript for threads and processes, which vitest does not serve.
 *
 * @param entries - name of the built file without `.mjs` → source, relative to the project
 * @returns a new folder inside the project, so that packages are found; the caller removes it
 */
export async function buildForNode(entries: Readonly<Record<string, string>>): Promise<string> {
  const parent = `${root}node_modules/.cache`
  await mkdir(parent, { recursive: true })
  const outDir = await mkdtemp(`${parent}/nvlm-build-`)
  await build({
    entry: Object.fromEntries(Object.entries(entries).map(([name, source]) => [name, root + source])),
    outDir,
    outExtension: () => ({ js: '.mjs' }),
    format: ['esm'],
    platform: 'node',
    target: 'node20',
    splitting: false,
    config: false,
    silent: true,
  })
  return outDir
}
