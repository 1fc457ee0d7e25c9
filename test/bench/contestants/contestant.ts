/** A library that runs the decoder. All of them get the same tokens and answer greedily. */
export interface Contestant {
  /** Load the model; ready to take tokens afterwards. `contextLength`: most tokens that will be asked for. */
  load(contextLength: number): Promise<void>
  /** Read a prompt from an empty context, up to the choice of the first token, which is returned. */
  prefill(inputIds: readonly number[]): Promise<number>
  /**
   * Say `steps` tokens after a context of `context` tokens; ms of each. What was read and said before is dropped or kept as
   * the library likes; preparing is not timed.
   *
   * @param inputIds - at least `context + 1` tokens; never another beginning than in earlier calls, and `context` never grows
   */
  decode(inputIds: readonly number[], context: number, steps: number): Promise<readonly number[]>
  /** Natural logarithms of the probabilities of `tokens` as the next one after a prompt. */
  logProbabilities(inputIds: readonly number[], tokens: readonly number[]): Promise<readonly number[]>
  dispose(): Promise<void>
}

/** How a contestant is started. */
export interface ContestantSettings {
  /** Folder or file of the model. */
  readonly model: string
  readonly numThreads: number
}

export type ContestantName = 'nvlm-ts' | 'node-llama-cpp' | 'transformers.js'
