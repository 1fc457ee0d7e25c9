import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** What the numbers of a run depend on beside the code. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** Vector extensions that the libraries choose their kernels by; empty where the system does not tell. */
  readonly extensions: readonly string[]
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly versions: Readonly<Record<string, string>>
}

const EXTENSIONS = ['avx2', 'fma', 'f16c', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_int8']

const PACKAGES = ['nvlm-ts', 'onnxruntime-node', 'sharp', 'node-llama-cpp', '@huggingface/transformers']

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    extensions: readExtensions(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    versions: Object.fromEntries(PACKAGES.map(name => [name, versionOf(name)])),
  }
}

function readExtensions(): readonly string[] {
  if (process.platform !== 'linux') return []
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? []
  return EXTENSIONS.filter(name => flags.includes(name))
}

/** The version of this package, or of an installed one, found in the folders that Node would look in. */
export function versionOf(name: string): string {
  if (name === 'nvlm-ts') return readVersion('package.json') ?? 'unknown'
  const { paths } = createRequire(import.meta.url).resolve
  for (const folder of paths(name) ?? []) {
    const version = readVersion(`${folder}/${name}/package.json`)
    if (version !== undefined) return version
  }
  return 'not installed'
}

function readVersion(path: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { version?: string }).version
  } catch {
    return undefined
  }
}
