import { defineConfig } from 'vite'

/** Headers of an isolated page: WASM may use threads. A server of your own has to send them too. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

export default defineConfig({
  base: './',
  optimizeDeps: { exclude: ['nvlm-ts', 'onnxruntime-web'] },
  server: { headers },
  preview: { headers },
})
