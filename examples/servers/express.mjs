// @ts-check
// A model behind Express: a route of its own, and OpenAI's API. A client that leaves stops the compute.
//   node examples/servers/express.mjs
//   curl -N localhost:3000/ask -F 'question=What does the sign say?' -F image=@examples/pictures/sign.png
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import express from 'express'
import { NVLM } from 'nvlm-ts'
import { createServer } from 'nvlm-ts/server'
import { ask, MAX_BODY_BYTES } from './ask.mjs'

const nvlm = await NVLM.load(process.env.MODEL)
const app = express()

/**
 * A handler of web requests as one of Express.
 *
 * @param {(request: Request) => Promise<Response>} handle
 * @returns {express.RequestHandler}
 */
function web(handle) {
  return async (req, res) => {
    const left = new AbortController()
    res.on('close', () => left.abort())
    const headers = new Headers(
      Object.entries(req.headersDistinct).map(([name, values]) => [name, `${values}`]),
    )
    const body = Buffer.isBuffer(req.body) ? req.body : null
    const url = new URL(req.originalUrl, 'http://localhost')
    const answer = await handle(new Request(url, { method: req.method, headers, body, signal: left.signal }))
    res.status(answer.status).setHeaders(answer.headers)
    const bytes = /** @type {import('node:stream/web').ReadableStream} */ (answer.body)
    // a client that has left is no failure of the server
    await pipeline(Readable.fromWeb(bytes), res).catch(error => {
      if (!left.signal.aborted) throw error
    })
  }
}

const anyBody = express.raw({ type: () => true, limit: MAX_BODY_BYTES })
app.post(
  '/ask',
  anyBody,
  web(request => ask(nvlm, request)),
)

// /v1/chat/completions and the others, for any client of OpenAI's API
const openai = createServer(nvlm)
app.all('/v1/{*path}', anyBody, web(openai.fetch))

// Express's own page for an error shows the stack, with the paths of this machine
/** @type {express.ErrorRequestHandler} */
const sayLittle = (error, _request, response, next) => {
  if (response.headersSent) return next(error)
  response
    .status(error.status ?? 500)
    .type('text/plain')
    .send(error.expose ? error.message : 'It failed.')
}
app.use(sayLittle)

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (address && typeof address === 'object') console.log(`listening on http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', async () => {
  server.close()
  await openai.drain()
  await nvlm.dispose()
})
