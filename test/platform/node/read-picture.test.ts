import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { readPicture } from '../../../src/platform/node/read-picture.js'
import { projectFolder } from '../../support/run-node.js'

const SIGN = `${projectFolder}/examples/pictures/sign.png`
const bytes = readFileSync(SIGN)
const limits = { maxBytes: 1_000_000, maxPixels: 1_000_000, maxDecodeBytes: 10_000_000 }
const never = new AbortController().signal

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener)
  await new Promise<void>(resolve => server!.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a picture that a person names', () => {
  test('is read from a path, a file: URL and a data: URL', async () => {
    const sources = [SIGN, `file://${SIGN}`, `data:image/png;base64,${bytes.toString('base64')}`]
    for (const source of sources) {
      const picture = await readPicture(source, limits, never)
      expect(Buffer.compare(picture.bytes, bytes)).toBe(0)
      expect(picture.pixels).toMatchObject({ width: 264, height: 132 })
    }
  })

  test('is fetched from the web, through redirects', async () => {
    const url = await serve((request, response) => {
      const hop = Number(request.url!.slice(1))
      if (hop > 0) response.writeHead(302, { location: `/${hop - 1}` }).end()
      else response.end(bytes)
    })
    expect((await readPicture(`${url}/3`, limits, never)).pixels.width).toBe(264)
    await expect(readPicture(`${url}/4`, limits, never)).rejects.toThrow('redirected too often')
  })

  test.each([
    [
      'a file that is not there',
      (_, response) => response.writeHead(404).end(),
      'IMAGE_INPUT',
      'answered 404',
    ],
    ['a page', (_, response) => response.end('<html>'), 'IMAGE_INPUT', ''],
    [
      'a redirect to a file',
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'IMAGE_INPUT',
      'away from the web',
    ],
    [
      'more bytes than are accepted',
      (_, response) => response.end(Buffer.alloc(1_100_000)),
      'IMAGE_TOO_LARGE',
      '1000000',
    ],
  ] satisfies [string, RequestListener, string, string][])(
    '%s is refused',
    async (_, listener, code, message) => {
      const url = await serve(listener)
      const error = await readPicture(`${url}/a.png`, limits, never).catch(reason => reason)
      expect(error).toMatchObject({ name: 'NVLMError' })
      expect(code === 'IMAGE_INPUT' ? ['IMAGE_INPUT', 'IMAGE_DECODE'] : [code]).toContain(error.code)
      expect(error.message).toContain(message)
    },
  )

  test('stops when it is not wanted any more, and says when nobody answers', async () => {
    const url = await serve(() => {})
    const controller = new AbortController()
    const reading = readPicture(url, limits, controller.signal)
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    await expect(readPicture('http://127.0.0.1:1/a.png', limits, never)).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringMatching(/can't be fetched: .*ECONNREFUSED/),
    })
  })
})
