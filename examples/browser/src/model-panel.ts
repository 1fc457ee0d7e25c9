import { type LoadOptions, NVLM } from 'nvlm-ts'
import { element } from './elements.js'
import { MODELS, type ModelChoice } from './models.js'

/** Chooses and loads the model. */
export class ModelPanel {
  nvlm: NVLM | undefined
  #loading: AbortController | undefined
  readonly #choice = element<HTMLSelectElement>('model-choice')
  readonly #status = element('load-status')
  readonly #progress = element<HTMLProgressElement>('load-progress')
  readonly #badge = element('badge')

  /** @param onLoad - called with a loaded model, or with nothing when the one before is gone */
  constructor(
    private readonly onLoad: (nvlm: NVLM | undefined, choice: ModelChoice) => void,
    private readonly onError: (error: unknown) => void,
  ) {
    for (const [index, { label }] of MODELS.entries()) this.#choice.add(new Option(label, String(index)))
    this.#choice.addEventListener('change', () => this.#showChoice())
    element('model-form').addEventListener('submit', event => {
      event.preventDefault()
      void this.load()
    })
    this.#showChoice()
  }

  get #chosen(): ModelChoice {
    return MODELS[Number(this.#choice.value)] ?? MODELS[0]!
  }

  #showChoice(): void {
    const { url, hint } = this.#chosen
    element('model-url-row').hidden = url !== undefined
    element<HTMLInputElement>('model-url').required = url === undefined
    element('model-hint').textContent = hint
  }

  async load(): Promise<void> {
    this.#loading?.abort()
    const loading = new AbortController()
    this.#loading = loading
    const choice = this.#chosen
    const url = choice.url ?? element<HTMLInputElement>('model-url').value
    await this.#unload(choice)
    this.#setBusy(true)
    try {
      const device = element<HTMLSelectElement>('device-choice').value as NonNullable<LoadOptions['device']>
      this.nvlm = await NVLM.load(new URL(url, location.href).href, {
        device,
        signal: loading.signal,
        onProgress: progress => {
          this.#progress.value = progress.done / progress.total
          this.#status.textContent = `Loading: ${progress.stage}`
        },
      })
      this.#showReady(this.nvlm)
      this.onLoad(this.nvlm, choice)
    } catch (error) {
      if (loading.signal.aborted) return
      this.#status.textContent = 'The model could not be loaded.'
      this.onError(error)
    } finally {
      if (this.#loading === loading) this.#setBusy(false)
    }
  }

  async #unload(choice: ModelChoice): Promise<void> {
    const old = this.nvlm
    this.nvlm = undefined
    this.#badge.dataset.state = 'empty'
    this.#badge.textContent = 'no model'
    this.onLoad(undefined, choice)
    await old?.dispose()
  }

  #showReady({ info }: NVLM): void {
    const device = info.device.decoder
    this.#badge.dataset.state = 'ready'
    this.#badge.textContent = `${info.id} · ${device}`
    this.#status.textContent = `${info.id} is ready on ${device}: ${(info.bytes / 1e6).toFixed(1)} MB of weights, ${info.contextLength} tokens of context.`
  }

  #setBusy(busy: boolean): void {
    this.#progress.hidden = !busy
    element('load').toggleAttribute('disabled', busy)
  }
}
