import type { GenerateOptions } from '../nvlm/generate-options.js'
import type { ToolSet } from '../nvlm/tool-types.js'
import { ApiError, invalid } from './api-error.js'

/** What a request asks of the library, whichever of the APIs it came through. */
export interface GenerationPlan {
  readonly options: GenerateOptions
  /** Answers to the same question. */
  readonly numChoices: number
  readonly tools: RequestTools
  /** Alternatives of each token to give out; undefined: no log-probabilities. */
  readonly numLogprobs: number | undefined
}

/** A function tool of a request. */
export interface RequestFunction {
  readonly name: string
  readonly description?: string | undefined
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
  readonly strict?: boolean | undefined
}

/** The tools of a request. */
export interface RequestTools {
  readonly set: ToolSet | undefined
  /** Tools whose calls must fit their schema or not be given out. */
  readonly strictNames: ReadonlySet<string>
  /** Give out the first call only. */
  readonly oneCall: boolean
}

/** Tools as the library takes them. @throws {ApiError} 400 for a name that is there twice */
export function toTools(
  functions: readonly RequestFunction[] | undefined,
  parallelCalls: boolean | undefined,
): RequestTools {
  const set: Record<string, ToolSet[string]> = {}
  for (const { name, description, parameters = { type: 'object', properties: {} } } of functions ?? []) {
    if (Object.hasOwn(set, name)) throw invalid('tools', `The tool "${name}" is there twice.`)
    set[name] = { description, parameters }
  }
  return {
    set: functions?.length ? set : undefined,
    strictNames: new Set(functions?.flatMap(({ name, strict }) => (strict ? [name] : []))),
    oneCall: parallelCalls === false,
  }
}

/** How a request says which tools are called. */
export type RequestToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

/** The choice as the library takes it. @throws {ApiError} 400 for a tool that is not there */
export function toToolChoice(
  choice: RequestToolChoice | undefined,
  { set }: RequestTools,
): GenerateOptions['toolChoice'] {
  if (set === undefined) {
    if (choice === undefined || choice === 'none' || choice === 'auto') return undefined
    throw invalid('tool_choice', 'There are no tools to choose from.')
  }
  if (typeof choice === 'object' && !Object.hasOwn(set, choice.name)) {
    throw invalid('tool_choice', `There is no tool "${choice.name}".`)
  }
  return choice
}

/** What the answer must look like. */
export type RequestFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | { readonly type: 'json_schema'; readonly schema: Readonly<Record<string, unknown>> | undefined }

/** The schema that an answer is held to. */
export function toSchema(format: RequestFormat | undefined): GenerateOptions['schema'] {
  if (format === undefined || format.type === 'text') return undefined
  return (format.type === 'json_schema' ? format.schema : undefined) ?? { type: 'object' }
}

/** Fields about the choice of tokens that both kinds of request have. */
export interface CommonSampling {
  readonly temperature?: number | undefined
  readonly top_p?: number | undefined
  readonly top_k?: number | undefined
  readonly min_p?: number | undefined
  readonly min_tokens?: number | undefined
  readonly repetition_penalty?: number | undefined
}

/** These fields as the library takes them. */
export function toSampling(request: CommonSampling): GenerateOptions {
  const { top_k: topK, min_tokens: minTokens } = request
  return {
    temperature: request.temperature,
    topP: request.top_p,
    topK: topK !== undefined && topK > 0 ? topK : undefined,
    minP: request.min_p,
    minTokens: minTokens === 0 ? undefined : minTokens,
    repetitionPenalty: request.repetition_penalty,
  }
}

/** Options that are absent, not undefined: the library counts some by their names. */
export function withoutUndefined(options: GenerateOptions): GenerateOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** Is this the model that is served? @throws {ApiError} 404 */
export function checkModel(asked: string, served: string): void {
  if (asked === served) return
  throw new ApiError(404, 'There is no such model here; GET /v1/models lists what there is.', {
    param: 'model',
    code: 'model_not_found',
  })
}
