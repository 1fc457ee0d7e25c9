import { onTestFinished } from 'vitest'
import { NVLM } from '../../src/nvlm/nvlm.js'
import type { Clock } from '../../src/platform/hub-platform.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { loadRemote } from '../../src/remote/load-remote.js'
import type { RemoteLoadOptions, RemoteOptions } from '../../src/remote/remote-options.js'
import { type ChatScript, type FakeChatServer, startChatServer } from '../support/fake-chat-server.js'

/** A clock that is asked how long it was slept, and sleeps no time. */
export class FakeClock implements Clock {
  readonly pauses: number[] = []
  time = 0
  now = () => this.time
  epoch = () => 1_700_000_000_000 + this.time
  random = () => 1
  sleep = async (ms: number, signal?: AbortSignal) => {
    signal?.throwIfAborted()
    this.pauses.push(ms)
    this.time += ms
  }
}

/** A server that does what a script says, until the test ends. */
export async function serve(script: ChatScript, port?: number): Promise<FakeChatServer> {
  const server = await startChatServer(script, port)
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

/** A model at some servers, until the test ends. */
export async function openRemote(
  servers: FakeChatServer | readonly FakeChatServer[],
  remote: Partial<RemoteOptions> = {},
  { clock = new FakeClock(), ...rest }: Omit<RemoteLoadOptions, 'remote'> & { clock?: FakeClock } = {},
): Promise<{ readonly nvlm: NVLM; readonly clock: FakeClock }> {
  const baseURL = [servers].flat().map(server => (server as FakeChatServer).baseURL)
  const { diagnostics, imageDecoder: decoder } = nodePlatform
  const host = { diagnostics, decoder, passesUrls: true, clock }
  const { client, surroundings } = await loadRemote({ remote: { baseURL, ...remote }, ...rest }, host)
  const nvlm = new NVLM(client, surroundings)
  onTestFinished(() => nvlm.dispose())
  return { nvlm, clock }
}
