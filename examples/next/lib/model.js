// @ts-check
import { NVLM } from 'nvlm-ts'

/** @type {typeof globalThis & { nvlm?: Promise<NVLM> | undefined }} */
const shared = globalThis

/** The model of this process: loaded with the first question, and once, also when the development server loads this file again. */
export function loadedModel() {
  shared.nvlm ??= NVLM.load(process.env.NVLM_MODEL).catch(error => {
    // the next question tries again
    shared.nvlm = undefined
    throw error
  })
  return shared.nvlm
}
