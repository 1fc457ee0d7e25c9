import { defineConfig, type Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** The benchmark measures the library as it is published: the bundle in the root's `dist`. */
const builtLibrary: Plugin = {
  name: 'built-library',
  setup(build) {
    build.onResolve({ filter: /^nvlm-ts$/ }, () => ({ path: '../../../dist/node.js', external: true }))
  },
}

export default defineConfig({
  entry: [
    'make',
    'run',
    'contestant-process',
    'part-process',
    'layers-72b',
    'convert',
    'format-steps',
    'profile',
    'tried',
    'batch',
    'crowd-process',
  ].map(name => `test/bench/${name}.ts`),
  outDir: 'test/bench/dist',
  format: ['esm'],
  platform: 'node',
  target: 'node20',
  splitting: false,
  clean: true,
  external: ['onnxruntime-node', 'sharp'],
  esbuildPlugins: [builtLibrary],
})
