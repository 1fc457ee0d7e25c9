import type { SchemaInput } from './schema-input.js'
import type { AnyTools, ToolInputs } from './tool-types.js'

/** Schemas of the arguments of tools, by the tools' names. */
export type ToolParameters = Readonly<Record<string, SchemaInput>>

/** Options whose `schema` says what the result's `object` is. */
export type WithSchema<Options, Schema extends SchemaInput> = Options & { readonly schema: Schema }

/** Options whose `tools` say what calls and results are. */
export type WithTools<Options, Parameters extends ToolParameters, Tools extends AnyTools> = Omit<
  Options,
  'tools'
> & {
  // the first gives each `execute` the type of its arguments, the second takes what it gives back
  readonly tools: ToolInputs<Parameters> & Tools
}

/** Options whose `choices` say what the text is. */
export type WithChoices<Options, Choice extends string> = Options & { readonly choices: readonly Choice[] }
