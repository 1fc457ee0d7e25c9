// @ts-check
import { loadedModel } from '../../../lib/model.js'

// onnxruntime-node is a native module: not for the edge
export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/**
 * A form with a question and a picture in, the answer as text out, piece by piece.
 *
 * @param {Request} request
 */
export async function POST(request) {
  const form = await request.formData().catch(() => undefined)
  const question = form?.get('question')
  const image = form?.get('image')
  // strings are paths: of those that strangers send, none is opened
  if (typeof question !== 'string' || typeof image === 'string') {
    return Response.json({ error: 'a form with a question, and an image as a file, is expected' }, { status: 400 })
  }
  const nvlm = await loadedModel()
  const images = image && image.size > 0 ? [image] : []
  return nvlm.generate({ prompt: question, images, maxTokens: 300, signal: request.signal }).toResponse({ format: 'text' })
}
