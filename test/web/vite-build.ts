import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type InlineConfig, type Rolldown } from 'vite'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Where the name of the package leads in an application that has installed it. */
const entry = `${root}dist/web/web.js`

/** A production build with Vite's own settings, but for the place of the package. */
export async function buildWithVite(config: InlineConfig): Promise<readonly Rolldown.OutputChunk[]> {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: run "npm run build" first`)
  const built = await build({
    configFile: false,
    logLevel: 'error',
    ...config,
    resolve: { alias: { 'nvlm-ts': entry } },
  })
  const outputs = (Array.isArray(built) ? built : [built]) as readonly Rolldown.RolldownOutput[]
  return outputs.flatMap(({ output }) => output.filter(file => file.type === 'chunk'))
}
