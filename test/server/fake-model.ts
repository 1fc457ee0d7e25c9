import { Engine } from '../../src/nvlm/engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { FakeStages, type FakeStagesOptions, nextTurn } from '../nvlm/fake-stages.js'

/** A model of rules in this process. */
export function fakeModel(options: FakeStagesOptions = {}, concurrency = 1): NVLM {
  return new NVLM(new Engine(new FakeStages(options), { nextTurn, concurrency }))
}

/** Work that stands still until it is let go. */
export function createGate(): { readonly work: () => Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { work: () => opened, open }
}

/** A request of a chat completion. */
export function chatRequest(fields: object = {}, init: RequestInit = {}): Request {
  return new Request('http://localhost/v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify({ model: 'fake-model', messages: [{ role: 'user', content: 'hi' }], ...fields }),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  })
}
