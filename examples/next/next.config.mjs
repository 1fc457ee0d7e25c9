// @ts-check
import { fileURLToPath } from 'node:url'

/** @type {import('next').NextConfig} */
const config = {
  // native modules and workers are loaded from node_modules instead of being bundled
  serverExternalPackages: ['nvlm-ts', 'onnxruntime-node', 'sharp'],
  // this folder is the project, whatever lock files lie above it
  outputFileTracingRoot: fileURLToPath(new URL('.', import.meta.url)),
}

// biome-ignore lint/style/noDefaultExport: Next reads the default
export default config
