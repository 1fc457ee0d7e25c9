import { parsePartialJSON } from '../generation/partial-json.js'

/** The type of `object` of a result; `undefined` where it has none. */
export type ObjectOf<Result> = Result extends { readonly object: infer Output } ? Output : undefined

/** A value of which anything may still be missing. */
export type PartialValue<Value> = Value extends readonly (infer Item)[]
  ? readonly PartialValue<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]?: PartialValue<Value[Name]> }
    : Value

/**
 * Read text that is JSON in the making as values.
 *
 * A reader that is slow gets the newest value, not every one.
 */
export async function* partialObjects(text: AsyncIterable<string>): AsyncGenerator<unknown, void, undefined> {
  let source = ''
  let last: string | undefined
  for await (const delta of text) {
    source += delta
    const value = parsePartialJSON(source)
    const written = JSON.stringify(value)
    if (value === undefined || written === last) continue
    last = written
    yield value
  }
  // at the end a number or a word is certain too
  const value = parsePartialJSON(`${source} `)
  if (value !== undefined && JSON.stringify(value) !== last) yield value
}
