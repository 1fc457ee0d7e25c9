// @ts-check
// The utility process: the model lives here, so that a crash or a long load never touches the windows.
import { NVLM } from 'nvlm-ts'
import { answerPort } from './answer-port.mjs'

const { parentPort } = process
const nvlm = await NVLM.load(process.argv[2])

parentPort.on('message', ({ data, ports: [port] }) => {
  if (data === 'quit') return nvlm.dispose().then(() => process.exit(0))
  if (!port) return
  const take = answerPort(nvlm, port)
  port.on('message', ({ data: call }) => take(call))
  port.start()
})
parentPort.postMessage('ready')
