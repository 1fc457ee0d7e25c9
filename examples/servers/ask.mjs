// @ts-check
// One question as an HTTP request: a form with a question and a picture in, streamed text out. Any framework can use it.
import { NVLMError } from 'nvlm-ts'

/** Largest picture with its question, in bytes. */
export const MAX_BODY_BYTES = 20_000_000

/** What is the caller's fault, and the status that says so. */
const STATUSES = new Map([
  ['INVALID_OPTION', 400],
  ['IMAGE_INPUT', 400],
  ['IMAGE_DECODE', 400],
  ['IMAGE_TOO_LARGE', 413],
  ['CONTEXT_OVERFLOW', 413],
])

/**
 * @param {import('nvlm-ts').NVLM} nvlm
 * @param {Request} request - a form with the fields `question` and, if there is a picture, `image`; its signal stops the answer
 * @returns {Promise<Response>} the answer as text, piece by piece
 */
export async function ask(nvlm, request) {
  const form = await request.formData().catch(() => undefined)
  const question = form?.get('question')
  const image = form?.get('image')
  if (typeof question !== 'string')
    return Response.json({ error: 'a form with a question is expected' }, { status: 400 })
  // strings are paths: of those that strangers send, none is opened
  if (typeof image === 'string') return Response.json({ error: 'the image is no file' }, { status: 400 })

  const reply = nvlm.generate({
    prompt: question,
    images: image ? [image] : [],
    maxTokens: 300,
    signal: request.signal,
  })
  // the status is sent with the first byte: wait until there is one, or an error
  const started = new Promise((resolve, reject) => {
    reply.once('text', resolve)
    reply.then(resolve, reject)
  })
  try {
    await started
    return reply.toResponse({ format: 'text' })
  } catch (error) {
    const status = NVLMError.isInstance(error) ? (STATUSES.get(error.code) ?? 500) : 500
    return Response.json({ error: status === 500 ? 'no answer could be made' : String(error) }, { status })
  }
}
