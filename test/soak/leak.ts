import { subscribe } from 'node:diagnostics_channel'

// loaded into the server and its engine by `npm run soak -- --leak <kB>`, to see that the soak reports a leak
const numBytes = Number(new URL(import.meta.url).searchParams.get('kB')) * 1000
const lost: Buffer[] = []

function lose(): void {
  // pages that nothing was written to are not resident
  lost.push(Buffer.alloc(numBytes, 1))
}

subscribe('http.server.request.start', message => {
  const { request } = message as { readonly request: { readonly method: string } }
  if (request.method === 'POST') lose()
})
// a listener of its own would take the first message from the engine, which listens later
process.on('newListener', function listen(name: string | symbol) {
  if (name !== 'message') return
  process.off('newListener', listen)
  process.on('message', message => {
    if ((message as { readonly type: string }).type === 'run') lose()
  })
})
