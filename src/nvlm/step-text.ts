import { createStripFilter } from '../generation/strip-filter.js'
import { type AnswerPiece, createToolCallFilter } from '../generation/tool-call-filter.js'
import type { EngineEvent, RunHooks } from './engine-client.js'

/** Where a step stands among others. */
interface StepPlace {
  readonly isFirst: boolean
  /** Tokens of the steps before. */
  readonly numTokens: number
  /** Has there been text in steps before? */
  readonly hasText: boolean
}

/** The events of one step on their way to the generation: tool calls are taken out of its text. */
export class StepText {
  /** Text of this step, without calls. */
  text = ''
  /** What was given on: the text with the line break that parts it from the step before. */
  written = ''
  /** What stands between the tags of its calls; the last one may lack its closing tag. */
  readonly calls: Extract<AnswerPiece, { type: 'call' }>[] = []
  private readonly filter = createToolCallFilter()
  private readonly strip = createStripFilter()

  constructor(
    private readonly hooks: RunHooks,
    private readonly place: StepPlace,
  ) {}

  take(event: EngineEvent): void {
    if (event.type === 'token') {
      const index = event.index + this.place.numTokens
      this.hooks.onEvent({ ...event, index, text: this.show(this.filter.push(event.text)) })
    } else if (event.type === 'text') {
      const text = this.show(this.filter.push(event.text))
      if (text !== '') this.hooks.onEvent({ type: 'text', text })
    } else if (event.type !== 'start' || this.place.isFirst) this.hooks.onEvent(event)
  }

  /** The step is over: give on what was held back. */
  end(): void {
    const text = this.show(this.filter.flush())
    if (text !== '') this.hooks.onEvent({ type: 'text', text })
  }

  private show(pieces: readonly AnswerPiece[]): string {
    let shown = ''
    for (const piece of pieces) {
      if (piece.type === 'call') this.calls.push(piece)
      else shown += this.strip.push(piece.text)
    }
    const parting = shown !== '' && this.text === '' && this.place.hasText ? '\n' : ''
    this.text += shown
    this.written += parting + shown
    return parting + shown
  }
}
