import type { GenerateResult, NVLM } from 'nvlm-ts'
import { chip, element } from './elements.js'

/** Asks and shows the answer as it comes. */
export class TalkPanel {
  #run: AbortController | undefined
  readonly #question = element<HTMLInputElement>('question')
  readonly #answer = element('answer')

  /** @param ready - the model and the picture, when there are both */
  constructor(
    private readonly ready: () => { nvlm: NVLM; picture: Blob } | undefined,
    private readonly onError: (error: unknown) => void,
  ) {
    element('ask-form').addEventListener('submit', event => {
      event.preventDefault()
      void this.ask()
    })
    element('stop').addEventListener('click', () => this.stop())
    document.addEventListener('keydown', event => {
      if (event.key === 'Escape') this.stop()
    })
  }

  /** Offer these questions. */
  suggest(questions: readonly string[]): void {
    const chips = questions.map(text =>
      chip(text, () => {
        this.#question.value = text
        void this.ask()
      }),
    )
    element('suggestions').replaceChildren(...chips)
    this.refresh()
  }

  /** Allow asking when there is something to ask. */
  refresh(): void {
    const disabled = this.ready() === undefined || this.#run !== undefined
    element('ask').toggleAttribute('disabled', disabled)
    for (const button of element('suggestions').querySelectorAll('button')) button.disabled = disabled
  }

  stop(): void {
    this.#run?.abort()
  }

  async ask(): Promise<void> {
    const there = this.ready()
    const prompt = this.#question.value.trim()
    if (!there || this.#run || prompt === '') return
    const run = new AbortController()
    this.#run = run
    this.#setBusy(true)
    try {
      const { nvlm, picture } = there
      const reply = nvlm.generate({ prompt, images: [picture], maxTokens: 512, signal: run.signal })
      for await (const text of reply) this.#answer.append(text)
      this.#showStats(await reply)
    } catch (error) {
      if (run.signal.aborted) this.#answer.append(' (stopped)')
      else this.onError(error)
    } finally {
      this.#run = undefined
      this.#setBusy(false)
    }
  }

  #setBusy(busy: boolean): void {
    if (busy) {
      this.#answer.replaceChildren()
      element('error').hidden = true
    }
    this.#answer.ariaBusy = String(busy)
    element('ask').hidden = busy
    element('stop').hidden = !busy
    this.refresh()
  }

  #showStats({ usage, timings, device }: GenerateResult): void {
    element('stat-speed').textContent = timings.tokensPerSecond.toFixed(1)
    element('stat-first').textContent = `${timings.timeToFirstTokenMs.toFixed(0)} ms`
    element('stat-prompt').textContent = `${usage.promptTokens} (${usage.imageTokens} of the picture)`
    element('stat-answer').textContent = String(usage.completionTokens)
    element('stat-device').textContent = device
    element('stats').hidden = false
  }
}
