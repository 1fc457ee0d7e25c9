import type { Usage } from '../nvlm/engine-client.js'
import type { Admission } from './admission.js'
import type { ServedModel } from './served-model.js'

/** Upper bounds of the buckets of times, in seconds. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

/** Counts and times of one kind, by label. */
class Histogram {
  private readonly counts = new Map<string, { readonly buckets: number[]; sum: number; count: number }>()

  observe(label: string, seconds: number): void {
    const entry = this.counts.get(label) ?? { buckets: BUCKETS.map(() => 0), sum: 0, count: 0 }
    this.counts.set(label, entry)
    entry.sum += seconds
    entry.count++
    for (const [index, bound] of BUCKETS.entries()) if (seconds <= bound) entry.buckets[index]!++
  }

  lines(name: string): string[] {
    return [...this.counts].flatMap(([label, { buckets, sum, count }]) => [
      ...buckets.map((value, index) => `${name}_bucket{${label},le="${BUCKETS[index]}"} ${value}`),
      `${name}_bucket{${label},le="+Inf"} ${count}`,
      `${name}_sum{${label}} ${sum}`,
      `${name}_count{${label}} ${count}`,
    ])
  }
}

/** What a server counts. Written as Prometheus reads it. */
export class Metrics {
  private readonly requests = new Map<string, number>()
  private readonly durations = new Histogram()
  private readonly firstTokens = new Histogram()
  private readonly tokens = { prompt: 0, cached: 0, image: 0, completion: 0 }

  /** @param route - one of the server's own, never a client's text */
  countRequest(route: string, status: number, seconds: number): void {
    const label = `route="${route}",status="${status}"`
    this.requests.set(label, (this.requests.get(label) ?? 0) + 1)
    this.durations.observe(`route="${route}"`, seconds)
  }

  countFirstToken(route: string, seconds: number): void {
    this.firstTokens.observe(`route="${route}"`, seconds)
  }

  countTokens({ promptTokens, cachedTokens, imageTokens, completionTokens }: Usage): void {
    this.tokens.prompt += promptTokens
    this.tokens.cached += cachedTokens
    this.tokens.image += imageTokens
    this.tokens.completion += completionTokens
  }

  /** The text format of Prometheus, version 0.0.4. */
  write({ engine }: ServedModel, { numRunning, numWaiting }: Admission): string {
    const isReady = engine === undefined || engine.state === 'ready'
    const { tokens } = this
    const section = (name: string, type: string, help: string, lines: readonly string[]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...lines,
    ]
    const single = (name: string, type: string, help: string, value: number) =>
      section(name, type, help, [`${name} ${value}`])
    return [
      ...section(
        'nvlm_requests_total',
        'counter',
        'Requests answered.',
        [...this.requests].map(([label, count]) => `nvlm_requests_total{${label}} ${count}`),
      ),
      ...section(
        'nvlm_request_seconds',
        'histogram',
        'From the request to the end of its answer.',
        this.durations.lines('nvlm_request_seconds'),
      ),
      ...section(
        'nvlm_time_to_first_token_seconds',
        'histogram',
        'From the request to its first token.',
        this.firstTokens.lines('nvlm_time_to_first_token_seconds'),
      ),
      ...single('nvlm_answers_running', 'gauge', 'Answers that are computed.', numRunning),
      ...single('nvlm_answers_waiting', 'gauge', 'Answers asked for and not begun.', numWaiting),
      ...single('nvlm_prompt_tokens_total', 'counter', 'Tokens of prompts.', tokens.prompt),
      ...single('nvlm_cached_tokens_total', 'counter', 'Of them, read already.', tokens.cached),
      ...single('nvlm_image_tokens_total', 'counter', 'Of them, of pictures.', tokens.image),
      ...single('nvlm_completion_tokens_total', 'counter', 'Tokens of answers.', tokens.completion),
      ...single('nvlm_engine_ready', 'gauge', 'Is the engine there?', Number(isReady)),
      ...single('nvlm_engine_restarts_total', 'counter', 'Starts after a death.', engine?.numRestarts ?? 0),
      '',
    ].join('\n')
  }
}
