/** OpenAI's API in front of a model, with Node's HTTP server. */
export { createImageFolder } from './platform/node/image-folder.js'
export { createImageFetcher, type ImageFetcherOptions } from './platform/node/remote-image/image-fetcher.js'
export type { FrontLimits, HttpFront } from './server/node/http-front.js'
export { type ServeOptions, serveModel } from './server/node/serve-model.js'
export * from './server.js'
