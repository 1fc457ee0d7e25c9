import { defineConfig } from 'tsup'

/** The soak run talks to the command as it is published: the bundle in the root's `dist`. */
export default defineConfig({
  entry: ['test/soak/soak.ts', 'test/soak/leak.ts'],
  outDir: 'test/soak/dist',
  format: ['esm'],
  platform: 'node',
  target: 'node20',
  splitting: false,
  clean: true,
})
