/** OpenAI's API in front of a model, for whatever has web Requests: frameworks, Deno, Bun, service workers. */
export { createServer, type ModelServer } from './server/create-server.js'
export type { ImageSource, ImageSources } from './server/image-references.js'
export type { ServedGeneration, ServedModel, ServedResult } from './server/served-model.js'
export type { RequestRecord, ServerOptions } from './server/server-options.js'
