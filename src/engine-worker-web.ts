import { serveWebWorker } from './nvlm/worker/serve-web-worker.js'

serveWebWorker()
