// @ts-check
// A model behind Hono, on Node: a route of its own, and OpenAI's API.
//   node examples/servers/hono.mjs
//   curl -N localhost:3000/ask -F 'question=What does the sign say?' -F image=@examples/pictures/sign.png
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { NVLM } from 'nvlm-ts'
import { createServer } from 'nvlm-ts/server'
import { ask, MAX_BODY_BYTES } from './ask.mjs'

const nvlm = await NVLM.load(process.env.MODEL)
const app = new Hono()

app.post('/ask', bodyLimit({ maxSize: MAX_BODY_BYTES }), context => ask(nvlm, context.req.raw))

// /v1/chat/completions and the others, for any client of OpenAI's API
const openai = createServer(nvlm)
app.all('/v1/*', context => openai.fetch(context.req.raw))

const server = serve(
  { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) },
  ({ port }) => {
    console.log(`listening on http://127.0.0.1:${port}`)
  },
)

process.once('SIGTERM', async () => {
  server.close()
  await openai.drain()
  await nvlm.dispose()
})
