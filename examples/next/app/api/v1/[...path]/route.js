// @ts-check
import { createServer } from 'nvlm-ts/server'
import { loadedModel } from '../../../../lib/model.js'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** @type {Promise<import('nvlm-ts/server').ModelServer> | undefined} */
let serving

/** OpenAI's API below /api/v1, for any client of it. */
async function answer(/** @type {Request} */ request) {
  serving ??= loadedModel().then(nvlm => {
    // API_KEY is asked for where it is set; Next stands in front, so that the host name is its business
    return createServer(nvlm, { basePath: '/api', apiKey: process.env.API_KEY, allowedHosts: '*' })
  })
  return (await serving).fetch(request)
}

export { answer as GET, answer as POST }
