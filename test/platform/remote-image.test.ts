import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, LookupFunction, Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createAddressCheck } from '../../src/platform/node/remote-image/allowed-address.js'
import {
  createImageFetcher,
  type ImageFetcherOptions,
} from '../../src/platform/node/remote-image/image-fetcher.js'

/** What names mean in these tests. No network is used but loopback. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'good.test': ['127.0.0.1'],
  'metadata.test': ['169.254.169.254'],
  'private.test': ['10.1.2.3'],
  'mixed.test': ['93.184.216.34', '10.1.2.3'],
  'mapped.test': ['::ffff:10.0.0.1'],
  '127.0.0.1.nip.test': ['127.0.0.1'],
  localhost: ['127.0.0.1', '::1'],
  'localhost.': ['127.0.0.1'],
}

let lookups: string[] = []
afterEach(() => {
  lookups = []
})

const lookup: LookupFunction = (hostname, _, callback) => {
  lookups.push(hostname)
  const addresses = NAMES[hostname]
  if (!addresses) return callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '')
  callback(
    null,
    addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
  )
}

const NEVER = new AbortController().signal
const PICTURE = Uint8Array.of(1, 2, 3)
const BLOCKED = 'the image is at an address that is not public'

function fetchImage(url: string, options: ImageFetcherOptions = {}): Promise<Uint8Array> {
  return createImageFetcher({ lookup, ...options })(new URL(url), NEVER)
}

let server: Server
let port: number
let paths: string[] = []
const answers: Record<string, (response: ServerResponse) => void> = {
  '/picture': response => response.end(PICTURE),
  '/inside': response => response.writeHead(302, { location: `http://127.0.0.2:${port}/picture` }).end(),
  '/file': response => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/nowhere': response => response.writeHead(302).end(),
  '/1': response => response.writeHead(302, { location: '/2' }).end(),
  '/2': response => response.writeHead(307, { location: '/3' }).end(),
  '/3': response => response.writeHead(308, { location: '/picture' }).end(),
  '/0': response => response.writeHead(301, { location: '/1' }).end(),
  '/missing': response => response.writeHead(404).end('secret'),
  '/packed': response => response.writeHead(200, { 'content-encoding': 'gzip' }).end(PICTURE),
  '/long': response => response.writeHead(200, { 'content-length': 10 ** 9 }).write('x'),
  '/flood': response => flood(response),
  '/endless': response => pour(response.writeHead(200)),
  '/endless-packed': response => pour(response.writeHead(200, { 'content-encoding': 'gzip' })),
  '/endless-missing': response => pour(response.writeHead(404)),
  '/endless-redirect': response => pour(response.writeHead(302, { location: '/picture' })),
  '/drip': response => void response.write('x'),
  '/silent': () => {},
}

const MB = 1024 * 1024
const CHUNK = Buffer.alloc(64 * 1024)

/** What `pour` has sent. */
let sentBytes = 0

/** Send without end, in step with the reader: what it does not take is seen here, not lost in the system's buffers. */
function pour(response: ServerResponse): void {
  if (response.destroyed) return
  sentBytes += CHUNK.length
  response.write(CHUNK, () => setImmediate(pour, response))
}

/** Send without end, as much as goes. */
function flood(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(CHUNK));
  }
  response.on('drain', more)
  more()
}

/** Bytes that the fetcher takes from its sockets during some work. */
async function numTaken(work: () => Promise<void>): Promise<number> {
  const taken = new Map<Socket, number>()
  const watch = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket }
    socket.on('readable', () => taken.set(socket, socket.bytesRead))
  }
  subscribe('undici:client:connected', watch)
  try {
    await work()
  } finally {
    unsubscribe('undici:client:connected', watch)
  }
  return [...taken.values()].reduce((sum, numBytes) => sum + numBytes, 0)
}

beforeAll(async () => {
  server = createServer((request, response) => {
    paths.push(request.url!)
    answers[request.url!]!(response)
  })
  await new Promise<void>(resolve => server.listen(0, resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.closeAllConnections())
afterEach(() => {
  paths = []
})

describe('pictures by URL', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://0x7f000001/',
    'http://127.0.0.1./',
    'http://0.0.0.0/',
    'http://0/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::127.0.0.1]/',
    'http://[::ffff:0:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::a00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001:0:7f00:1::]/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://100.64.0.1/',
    'http://198.18.0.1/',
    'http://192.0.0.1/',
    'http://192.0.2.1/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://255.255.255.255/',
    'http://[fc00::1]/',
    'http://[fe80::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
    'http://[2001:db8::1]/',
    'http://１２７.０.０.１/',
    'http://①②⑦.⓪.⓪.①/',
    'http://127.0.0.1\\@public.test/',
    'http://metadata.test/',
    'http://private.test/',
    'http://mixed.test/',
    'http://mapped.test/',
    'http://127.0.0.1.nip.test/',
    'http://localhost/',
    'http://localhost./',
  ])('are not fetched from inside (%s)', async url => {
    await expect(fetchImage(url)).rejects.toMatchObject({ code: 'IMAGE_INPUT', message: BLOCKED })
  })

  test.each([
    ['http://public.test@127.0.0.1/', 'user name'],
    ['http://user:word@public.test/', 'user name'],
    ['http://public.test:22/', 'unusual port'],
    ['http://public.test:6379/', 'unusual port'],
    ['http://unknown.test/', 'can not be reached'],
  ])('are not fetched in odd ways (%s)', async (url, why) => {
    const error = await fetchImage(url).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'IMAGE_INPUT', message: expect.stringContaining(why) })
    expect(String(error)).not.toMatch(/127|word/)
  })

  test('are fetched from where the operator allows, by the address that was checked', async () => {
    const networks = ['127.0.0.1/32']
    expect(await fetchImage(`http://127.0.0.1:${port}/picture`, { networks })).toEqual(PICTURE)
    let numLookups = 0
    const rebinding: LookupFunction = (_, __, callback) => {
      // from the second time on it is another address
      const address = numLookups++ === 0 ? '127.0.0.1' : '127.0.0.2'
      callback(null, [{ address, family: 4 }])
    }
    const url = `http://good.test:${port}/picture`
    expect(await fetchImage(url, { networks, lookup: rebinding })).toEqual(PICTURE)
    expect(numLookups).toBe(1)
    await expect(fetchImage(`http://127.0.0.2:${port}/picture`, { networks })).rejects.toThrow(BLOCKED)
    await expect(fetchImage(url, { networks: ['10.0.0.0/8'] })).rejects.toThrow(BLOCKED)
  })

  test('are followed three times, and each time looked at again', async () => {
    const networks = ['127.0.0.1/32']
    const get = (path: string) => fetchImage(`http://good.test:${port}${path}`, { networks })
    expect(await get('/1')).toEqual(PICTURE)
    await expect(get('/0')).rejects.toThrow('redirected more than 3 times')
    paths = []
    await expect(get('/inside')).rejects.toThrow(BLOCKED)
    await expect(get('/file')).rejects.toThrow('something else than http')
    await expect(get('/nowhere')).rejects.toThrow('redirected to nowhere')
    expect(paths).toEqual(['/inside', '/file', '/nowhere'])
  })

  test('cost no more bytes and time than is allowed', async () => {
    const networks = ['127.0.0.1/32']
    const get = (path: string, options = {}) =>
      fetchImage(`http://127.0.0.1:${port}${path}`, { networks, ...options })
    await expect(get('/long')).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
    await expect(get('/packed')).rejects.toThrow('sent packed')
    await expect(get('/missing')).rejects.toThrow('answered with status 404')
    for (const path of ['/drip', '/silent']) {
      await expect(get(path, { timeoutMs: 100 })).rejects.toThrow('took too long')
    }
  })

  test.each([
    ['/endless', 'IMAGE_TOO_LARGE', 20 * MB],
    ['/endless-packed', 'IMAGE_INPUT', 0],
    ['/endless-missing', 'IMAGE_INPUT', 0],
    ['/endless-redirect', undefined, 0],
  ])('that do not end are cut off less than 1 MB above what is allowed (%s)', async (path, code, allowed) => {
    sentBytes = 0
    const image = fetchImage(`http://127.0.0.1:${port}${path}`, { networks: ['127.0.0.1/32'] })
    if (code) await expect(image).rejects.toMatchObject({ code })
    else expect(await image).toEqual(PICTURE)
    expect(sentBytes).toBeGreaterThan(allowed)
    expect(sentBytes).toBeLessThan(allowed + MB)
  })

  test('that come faster than they are read are taken to 1 MB above what is allowed, not further', async () => {
    const networks = ['127.0.0.1/32']
    const image = () => fetchImage(`http://127.0.0.1:${port}/flood`, { networks })
    const numBytes = await numTaken(() => expect(image()).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' }))
    expect(numBytes).toBeGreaterThan(20 * MB)
    expect(numBytes).toBeLessThan(21 * MB)
  })

  test('stop with the request', async () => {
    const controller = new AbortController()
    const fetching = createImageFetcher({ lookup, networks: ['127.0.0.1/32'] })
    const image = fetching(new URL(`http://127.0.0.1:${port}/silent`), controller.signal)
    controller.abort('left')
    await expect(image).rejects.toBe('left')
  })
})

describe('addresses', () => {
  test('that are public pass, and networks that are named', () => {
    const isPublic = createAddressCheck()
    for (const address of ['93.184.216.34', '8.8.8.8', '2606:4700::1111'])
      expect(isPublic(address)).toBe(true)
    expect(isPublic('no address')).toBe(false)
    const isAllowed = createAddressCheck(['10.20.0.0/16', 'fd00::/8'])
    expect(['10.20.3.4', '10.21.0.1', 'fd12::1', '8.8.8.8'].map(isAllowed)).toEqual([true, false, true, true])
    expect(() => createAddressCheck(['10.20'])).toThrowError(/"10.20" is no network/)
  })
})
