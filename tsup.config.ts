import { defineConfig } from 'tsup'

/** One flat `dist/`, so that `new URL('./engine-worker.js', import.meta.url)` survives bundling. */
export default defineConfig([
  {
    entry: { node: 'src/node.ts', 'engine-worker': 'src/nvlm/worker/engine-worker.ts' },
    format: ['esm', 'cjs'],
    dts: { entry: { node: 'src/node.ts' } },
    platform: 'node',
    target: 'node20',
    clean: true,
    sourcemap: true,
    splitting: false,
    shims: true,
  },
  {
    entry: { cli: 'src/cli.ts' },
    format: ['esm'],
    platform: 'node',
    target: 'node20',
    splitting: false,
    sourcemap: true,
    external: ['nvlm-ts'],
  },
])
