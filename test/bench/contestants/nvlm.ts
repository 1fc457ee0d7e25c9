import { type DecoderState, loadStages, type Stages } from 'nvlm-ts'
import type { Contestant, ContestantSettings } from './contestant.js'
import { argmax, logSoftmaxAt } from './logits.js'

/** nvlm-ts through its layers: `decoder.open`, `prefill`, `step`. */
export class NvlmContestant implements Contestant {
  private stages: Stages | undefined
  private state: DecoderState | undefined

  constructor(private readonly settings: ContestantSettings) {}

  async load(contextLength: number): Promise<void> {
    const { model, numThreads } = this.settings
    this.stages = await loadStages(model, { numThreads })
    this.state = await this.stages.decoder.open({ contextLength })
  }

  async prefill(inputIds: readonly number[]): Promise<number> {
    this.opened.truncate(0)
    return argmax((await this.opened.prefill({ inputIds })).data)
  }

  async decode(inputIds: readonly number[], context: number, steps: number): Promise<readonly number[]> {
    const state = this.opened
    if (state.length < context) {
      state.truncate(0)
      await state.prefill({ inputIds: inputIds.slice(0, context) })
    }
    state.truncate(context)
    const times: number[] = []
    let token = inputIds[context]!
    for (let step = 0; step < steps; step++) {
      const started = performance.now()
      token = argmax((await state.step(token)).data)
      times.push(performance.now() - started)
    }
    return times
  }

  async logProbabilities(inputIds: readonly number[], tokens: readonly number[]): Promise<readonly number[]> {
    this.opened.truncate(0)
    return logSoftmaxAt((await this.opened.prefill({ inputIds })).data, tokens)
  }

  async dispose(): Promise<void> {
    this.state?.dispose()
    await this.stages?.dispose()
  }

  private get opened(): DecoderState {
    if (this.state === undefined) throw new Error('not loaded')
    return this.state
  }
}
