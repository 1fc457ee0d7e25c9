import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** A proxy on this machine that tunnels every host to the same port here, and notes the hosts that were asked for. */
export interface FakeProxy extends AsyncDisposable {
  readonly url: string
  readonly hosts: readonly string[]
}

export async function startFakeProxy(port: number): Promise<FakeProxy> {
  const hosts: string[] = []
  const server = createServer()
  server.on('connect', (request, socket) => {
    hosts.push(request.url!)
    const target = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      target.pipe(socket).pipe(target)
    })
    socket.on('error', () => target.destroy())
    target.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hosts,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
