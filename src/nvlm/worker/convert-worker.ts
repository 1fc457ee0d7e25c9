import { parentPort } from 'node:worker_threads'
import { NVLMError } from '../../core/errors.js'
import { RowConverter } from '../../formats/blocks/row-converter.js'
import { FileParts } from '../../platform/node/file-parts.js'
import { SlabRows, type SlabTask } from '../../prepare/convert-slab.js'
import type { ConvertReply } from './convert-threads.js'

const converter = await RowConverter.create()
const files = new FileParts()

/** A thread that converts slabs, one after the other, in the order in which they come. */
parentPort!.on('message', (task: SlabTask) => {
  try {
    convert(task)
    reply({})
  } catch (error) {
    if (!NVLMError.isInstance(error)) throw error
    reply({ failure: { code: error.code, message: error.message, hint: error.hint } })
  }
})

/** From file to file: rows are read into the converter's memory and written from there. */
function convert(task: SlabTask): void {
  const slab = new SlabRows(converter, task)
  files.read(task.source, slab.room)
  for (const [index, bytes] of slab.convert().entries()) files.write(task.targets[index]!, bytes)
}

function reply(message: ConvertReply): void {
  parentPort!.postMessage(message)
}
