import { defineConfig, type Options } from 'tsup'

const shared = {
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  splitting: false,
  outDir: 'dist',
} satisfies Options

/**
 * For bundlers: file by file as in `src`, so that an application takes what it uses and packages stay imports. The worker
 * lies beside the entry, where `new URL('./engine-worker-web.js', import.meta.url)` names it.
 */
const web = {
  ...shared,
  entry: [
    'src/**/*.ts',
    '!src/**/node/**',
    '!src/{cli,graph,otel,server,ai-sdk,langchain}/**',
    '!src/{node,any-platform,cli,otel,server,server-node,ai-sdk,langchain}.ts',
    '!src/**/assembly/**',
  ],
  outDir: 'dist/web',
  platform: 'browser',
  target: 'es2022',
  format: ['esm'],
  bundle: false,
} satisfies Options

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** The command runs the library and server that lie beside it instead of carrying second copies. */
const libraryBeside: Plugin = {
  name: 'library-beside',
  setup(build) {
    build.onResolve({ filter: /^\.\/(node|server-node)\.js$/ }, ({ path }) => ({ path, external: true }))
  },
}

/** One flat `dist/`, so that `new URL('./engine-worker.js', import.meta.url)` holds after bundling. */
export default defineConfig([
  { ...shared, entry: { node: 'src/node.ts' }, format: ['esm', 'cjs'], dts: true, shims: true },
  { ...shared, entry: { otel: 'src/otel.ts' }, format: ['esm', 'cjs'], dts: true },
  { ...shared, entry: { server: 'src/server.ts' }, platform: 'neutral', format: ['esm', 'cjs'], dts: true },
  { ...shared, entry: { 'server-node': 'src/server-node.ts' }, format: ['esm', 'cjs'], dts: true },
  // of any platform: they take a loaded model, and load none
  {
    ...shared,
    entry: { 'ai-sdk': 'src/ai-sdk.ts', langchain: 'src/langchain.ts' },
    platform: 'neutral',
    format: ['esm', 'cjs'],
    dts: true,
  },
  { ...shared, entry: { 'engine-worker': 'src/nvlm/worker/engine-worker.ts' }, format: ['esm'] },
  { ...shared, entry: { 'engine-process': 'src/nvlm/worker/engine-process.ts' }, format: ['esm'] },
  { ...shared, entry: { 'convert-worker': 'src/nvlm/worker/convert-worker.ts' }, format: ['esm'] },
  web,
  {
    ...shared,
    entry: { web: 'src/web.ts', 'any-platform': 'src/any-platform.ts' },
    format: ['esm'],
    dts: { only: true },
  },
  {
    ...shared,
    entry: { cli: 'src/cli.ts' },
    format: ['esm'],
    esbuildPlugins: [libraryBeside],
    // sixel, which is carried along, assigns to a name that it never declares: an error in a module
    define: { UPNG: 'globalThis.UPNG' },
  },
])
