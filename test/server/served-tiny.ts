import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NVLM } from '../../src/node.js'
import { type HttpFront, type ServeOptions, serveModel } from '../../src/server-node.js'

/** The pictures of the examples as data URLs, and what the tiny model says to them. */
export const SIGN = pictureUrl('sign.png')
export const SHAPES = pictureUrl('shapes.png')
export const SIGN_QUESTION = 'What does the sign say?'
export const SIGN_ANSWER = 'COFFEE $3.50'

function pictureUrl(name: string): string {
  return `data:image/png;base64,${pictureBytes(name).toString('base64')}`
}

export function pictureBytes(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../../examples/pictures/${name}`, import.meta.url)))
}

/** A question about the sign, in OpenAI's form. */
export const SIGN_MESSAGES = [
  {
    role: 'user' as const,
    content: [
      { type: 'image_url' as const, image_url: { url: SIGN } },
      { type: 'text' as const, text: SIGN_QUESTION },
    ],
  },
]

/** The tiny model behind HTTP, in this process. */
export async function serveTiny(options: ServeOptions = {}): Promise<HttpFront & AsyncDisposable> {
  const nvlm = await NVLM.load(undefined, { worker: false })
  const front = await serveModel(nvlm, { port: 0, ...options })
  const close = async () => {
    await front.close()
    await nvlm.dispose()
  }
  return { url: front.url, close, [Symbol.asyncDispose]: close }
}
