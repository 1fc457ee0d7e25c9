/** What a server answers to; `other` is all the rest. */
export type RouteName =
  | '/health'
  | '/metrics'
  | '/v1/models'
  | '/v1/chat/completions'
  | '/v1/responses'
  | 'other'

const METHODS: Readonly<Record<RouteName, readonly string[]>> = {
  '/health': ['GET', 'HEAD'],
  '/metrics': ['GET', 'HEAD'],
  '/v1/models': ['GET', 'HEAD'],
  '/v1/chat/completions': ['POST'],
  '/v1/responses': ['POST'],
  other: [],
}

/** Where a request goes. */
export interface Route {
  readonly route: RouteName
  /** The model's id behind `/v1/models/`, which may have slashes; empty elsewhere. */
  readonly rest: string
  readonly methods: readonly string[]
  readonly isAllowed: boolean
}

/** Find the route of a request below `basePath`. */
export function findRoute({ url, method }: Request, basePath: string): Route {
  const { pathname } = new URL(url)
  const path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) : ''
  const isModel = path.startsWith('/v1/models/')
  const name = isModel ? '/v1/models' : path
  const route = Object.hasOwn(METHODS, name) ? (name as RouteName) : 'other'
  const methods = METHODS[route]
  const rest = isModel ? decode(path.slice('/v1/models/'.length)) : ''
  return { route, rest, methods, isAllowed: methods.includes(method) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
