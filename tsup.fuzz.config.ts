import { defineConfig } from 'tsup'

/** `npm run fuzz`: the readers from their sources, in a process of their own. */
export default defineConfig({
  entry: ['test/fuzz/run.ts', 'test/fuzz/fuzz-child.ts'],
  outDir: 'test/fuzz/dist',
  format: ['esm'],
  platform: 'node',
  target: 'node20',
  splitting: false,
  clean: true,
})
