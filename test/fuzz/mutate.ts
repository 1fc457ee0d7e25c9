import type { Random } from '../../src/core/random.js'

/** A whole number of 0 or more and below `limit`. */
export function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit)
}

/** One of some values. */
export function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[below(random, values.length)]!
}

/** Bytes that formats give a meaning to: of JSON, of text, of numbers in little endian. */
const TELLING = [...'{}[]",:0123456789-+.eE\\ \n', '\0', '\x01', '\x7f', '\x80', '\xc0', '\xed', '\xff']

/** Change bytes in one to four places: flip a bit, write, cut, repeat, insert, end early, or write a large number. */
export function mutateBytes(original: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(original)
  for (let n = 1 + below(random, 4); n > 0 && bytes.length > 0; n--) {
    // half of the changes are near the beginning, where headers are
    const at = below(random, pick(random, [bytes.length, Math.min(bytes.length, 64)]))
    const end = at + below(random, 24)
    const changes: readonly (() => Uint8Array<ArrayBuffer>)[] = [
      () => bytes.with(at, bytes[at]! ^ (1 << below(random, 8))),
      () => bytes.with(at, pick(random, TELLING).charCodeAt(0)),
      () => join(bytes.subarray(0, at), bytes.subarray(end)),
      () => join(bytes.subarray(0, end), bytes.subarray(at)),
      () => bytes.subarray(0, at),
      () => join(bytes, new Uint8Array(1 + below(random, 64)).fill(below(random, 256))),
      () => bytes.fill(pick(random, [0, 0x7f, 0xff]), at, at + pick(random, [1, 2, 4, 8])),
    ]
    bytes = changes[below(random, changes.length)]!()
  }
  return bytes
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}

/** Values that a careless reader trips over. */
const HOSTILE: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    '',
    'x',
    '0',
    '__proto__',
    'constructor',
    '../../etc/passwd',
    '/etc/passwd',
    '\u202e',
  ],
  ...[0, -0, -1, 1, 2, 0.5, 1e-300, 1e300, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 7, 3],
  ...[[], {}, [[]], [0], [-1], { a: 1 }, Array.from({ length: 3000 }, (_, i) => i)],
  ...['a'.repeat(100_000), '<|im_end|>', '<image>', '\0', '\ud83d\ude00', '{{ "a" * 1e9 }}', '(a+)+$'],
]

/** Change one to three values of parsed JSON: replace, remove, double, rename a key, or swap with another. */
export function mutateJson(original: unknown, random: Random): unknown {
  const root = { value: structuredClone(original) }
  for (let n = 1 + below(random, 3); n > 0; n--) {
    const places = placesOf(root)
    const { owner, key } = pick(random, places)
    const other = pick(random, places)
    const changes: readonly (() => void)[] = [
      () => put(owner, key, structuredClone(pick(random, HOSTILE))),
      () => put(owner, key, structuredClone(pick(random, HOSTILE))),
      () => put(owner, key, near(owner[key], random)),
      () => remove(owner, key),
      () => put(owner, key, structuredClone(other.owner[other.key])),
      () => put(owner, `${key}${pick(random, ['', 'x', '\u0000'])}`, owner[key]),
      () => put(owner, key, [owner[key], owner[key]]),
    ]
    changes[below(random, changes.length)]!()
    if (!('value' in root)) return undefined
  }
  return root.value
}

type Owner = Record<string, unknown>

interface Place {
  readonly owner: Owner
  readonly key: string
}

/** Every value below an object, up to some thousands. */
function placesOf(root: object): readonly Place[] {
  const places: Place[] = []
  const walk = (owner: object): void => {
    for (const key of Object.keys(owner)) {
      if (places.length > 5000) return
      places.push({ owner: owner as Owner, key })
      const value = (owner as Owner)[key]
      if (typeof value === 'object' && value !== null) walk(value)
    }
  }
  walk(root)
  return places
}

function put(owner: Owner, key: string, value: unknown): void {
  Object.defineProperty(owner, key, { value, enumerable: true, writable: true, configurable: true })
}

function remove(owner: Owner, key: string): void {
  if (Array.isArray(owner)) owner.splice(Number(key), 1)
  else delete owner[key]
}

/** A value a little off, or far. */
function near(value: unknown, random: Random): unknown {
  if (typeof value === 'number')
    return pick(random, [value + 1, value - 1, value * 2, value * 65_536, -value])
  if (typeof value === 'string') return pick(random, [value.slice(1), value + value, value.toUpperCase()])
  return Array.isArray(value) ? value.concat(value) : value
}
