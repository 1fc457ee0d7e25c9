import { basename, dirname, resolve } from 'node:path'
import type { Contestant, ContestantSettings } from './contestant.js'
import { logSoftmaxAt } from './logits.js'
import { importPeer } from './peer.js'

/** The part of transformers.js that is used. */
interface TransformersModule {
  readonly env: { allowRemoteModels: boolean; localModelPath: string }
  readonly Tensor: new (type: string, data: BigInt64Array | Float32Array, dims: readonly number[]) => Tensor
  readonly DynamicCache: new (entries: Readonly<Record<string, Tensor>>) => object
  readonly AutoModelForCausalLM: {
    from_pretrained(
      name: string,
      options: { dtype: 'q4'; device: 'cpu'; session_options: { intraOpNumThreads: number } },
    ): Promise<Model>
  }
}

interface Tensor {
  readonly data: Float32Array
  readonly dims: readonly number[]
}

interface Model {
  (inputs: { input_ids: Tensor; attention_mask: Tensor }): Promise<{ logits: Tensor }>
  readonly config: Readonly<Record<string, number>>
  generate(options: {
    inputs: Tensor
    attention_mask?: Tensor
    past_key_values?: object
    max_new_tokens: number
    do_sample: false
    eos_token_id: number
    streamer: { put(ids: readonly (readonly bigint[])[]): void; end(): void }
  }): Promise<unknown>
  dispose(): Promise<unknown>
}

/** An id that no token has, so that answers do not end early. */
const NO_TOKEN = -1

/** transformers.js through `generate`. */
export class TransformersContestant implements Contestant {
  private library: TransformersModule | undefined
  private model: Model | undefined

  constructor(private readonly settings: ContestantSettings) {}

  async load(): Promise<void> {
    const { model, numThreads } = this.settings
    const library = await importPeer<TransformersModule>('@huggingface/transformers')
    library.env.allowRemoteModels = false
    library.env.localModelPath = dirname(resolve(model))
    this.library = library
    this.model = await library.AutoModelForCausalLM.from_pretrained(basename(model), {
      dtype: 'q4',
      device: 'cpu',
      session_options: { intraOpNumThreads: numThreads },
    })
  }

  async prefill(inputIds: readonly number[]): Promise<number> {
    const { tokens } = await this.generate(inputIds, 1)
    return tokens[0]!
  }

  /** The past is made up: what it holds does not change the time, and no call cuts a cache of transformers.js. */
  async decode(inputIds: readonly number[], context: number, steps: number): Promise<readonly number[]> {
    const { times } = await this.generate([inputIds[context]!], steps, this.pastOf(context))
    return times
  }

  async logProbabilities(inputIds: readonly number[], tokens: readonly number[]): Promise<readonly number[]> {
    const { logits } = await this.loaded.model({
      input_ids: this.ints(inputIds),
      attention_mask: this.ints(inputIds.map(() => 1)),
    })
    const width = logits.dims.at(-1)!
    return logSoftmaxAt(logits.data.subarray(logits.data.length - width), tokens)
  }

  async dispose(): Promise<void> {
    await this.model?.dispose()
  }

  private async generate(
    inputIds: readonly number[],
    steps: number,
    past?: object,
  ): Promise<{ tokens: readonly number[]; times: readonly number[] }> {
    const tokens: number[] = []
    const times: number[] = []
    let last: number | undefined
    const streamer = {
      // the first call brings the prompt
      put(ids: readonly (readonly bigint[])[]) {
        const now = performance.now()
        if (last !== undefined) {
          times.push(now - last)
          tokens.push(Number(ids[0]![0]))
        }
        last = performance.now()
      },
      end() {},
    }
    await this.loaded.model.generate({
      inputs: this.ints(inputIds),
      ...(past === undefined ? {} : { past_key_values: past }),
      max_new_tokens: steps,
      do_sample: false,
      eos_token_id: NO_TOKEN,
      streamer,
    })
    return { tokens, times }
  }

  private pastOf(length: number): object {
    const { model, library } = this.loaded
    const numHeads = model.config.num_key_value_heads!
    const headDim = model.config.hidden_size! / model.config.num_attention_heads!
    const entries: Record<string, Tensor> = {}
    for (let layer = 0; layer < model.config.num_hidden_layers!; layer++) {
      for (const kind of ['key', 'value']) {
        const data = Float32Array.from({ length: numHeads * length * headDim }, (_, i) => Math.sin(i))
        entries[`past_key_values.${layer}.${kind}`] = new library.Tensor('float32', data, [
          1,
          numHeads,
          length,
          headDim,
        ])
      }
    }
    return new library.DynamicCache(entries)
  }

  private ints(values: readonly number[]): Tensor {
    return new this.loaded.library.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
  }

  private get loaded(): { model: Model; library: TransformersModule } {
    if (this.model === undefined || this.library === undefined) throw new Error('not loaded')
    return { model: this.model, library: this.library }
  }
}
