/** All compact JSON texts of a value: properties in every order. */
export function spellings(value: unknown): readonly string[] {
  if (Array.isArray(value)) return product(value.map(spellings)).map(items => `[${items.join(',')}]`)
  if (typeof value !== 'object' || value === null) return [JSON.stringify(value)]
  const properties = Object.entries(value).map(([name, inner]) =>
    spellings(inner).map(text => `${JSON.stringify(name)}:${text}`),
  )
  return product(properties).flatMap(texts => permutations(texts).map(order => `{${order.join(',')}}`))
}

function product(choices: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return choices.reduce<readonly (readonly string[])[]>(
    (heads, tails) => heads.flatMap(head => tails.map(tail => [...head, tail])),
    [[]],
  )
}

function permutations(items: readonly string[]): readonly (readonly string[])[] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) =>
    permutations(items.filter((_, place) => place !== index)).map(rest => [item, ...rest]),
  )
}
