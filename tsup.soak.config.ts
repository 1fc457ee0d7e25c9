import { defineConfig } from 'tsup'

/** The soak run and the server's figures: they talk to the command as it is published: the bundle in the root's `dist`. */
export default defineConfig({
  entry: ['soak', 'leak', 'figures', 'batching'].map(name => `test/soak/${name}.ts`),
  outDir: 'test/soak/dist',
  format: ['esm'],
  platform: 'node',
  target: 'node20',
  splitting: false,
  clean: true,
})
