import { parentPort, type TransferListItem } from 'node:worker_threads'
import { NVLMError } from '../../core/errors.js'
import { RowConverter } from '../../formats/blocks/row-converter.js'
import { convertSlab, type SlabTask } from '../../prepare/convert-slab.js'
import type { ConvertReply } from './convert-threads.js'

const converter = await RowConverter.create()

/** A thread that converts slabs, one after the other, in the order in which they come. */
parentPort!.on('message', (task: SlabTask) => {
  try {
    const arrays = convertSlab(converter, task)
    reply({ arrays }, [...new Set(arrays.map(({ buffer }) => buffer))])
  } catch (error) {
    if (!NVLMError.isInstance(error)) throw error
    reply({ failure: { code: error.code, message: error.message, hint: error.hint } }, [])
  }
})

function reply(message: ConvertReply, transfer: readonly TransferListItem[]): void {
  parentPort!.postMessage(message, transfer)
}
