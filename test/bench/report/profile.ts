import type { Machine } from '../machine.js'
import { table } from './table.js'

/** Where the time of one token goes. */
export interface StepProfile {
  readonly context: number
  /** From the token to its logits. */
  readonly stepMs: number
  /** Of that, inside ONNX Runtime's `run`. */
  readonly runMs: number
  /** Of that, inside kernels, by operator; `count` kernels a token. */
  readonly kernels: ReadonlyMap<string, { readonly ms: number; readonly count: number }>
}

/** What a run measured. */
export interface ProfileReport {
  readonly machine: Machine
  readonly command: string
  readonly profiles: readonly StepProfile[]
}

const INTRO = `# Where the time of a token goes

Made by the command below; not written by hand. The decoder of internvl3-1b in q4, one token at a time, with ONNX Runtime's profiler on, which
itself costs time: the shares count, not the sums. ms a token.`

/** Kernels that take less than this, at every context, are added up. */
const LEAST_MS = 0.15

/** The report as Markdown. */
export function writeProfile({ machine, command, profiles }: ProfileReport): string {
  const contexts = profiles.map(({ context }) => `after ${context} tokens`)
  const row = (name: string, count: string, ms: (profile: StepProfile) => number) => [
    name,
    count,
    ...profiles.map(profile => ms(profile).toFixed(2)),
  ]
  const msOf = (profile: StepProfile, op: string) => profile.kernels.get(op)?.ms ?? 0
  const ops = [...new Set(profiles.flatMap(({ kernels }) => [...kernels.keys()]))]
  const isLarge = (op: string) => profiles.some(profile => msOf(profile, op) >= LEAST_MS)
  const large = ops.filter(isLarge).sort((a, b) => msOf(profiles.at(-1)!, b) - msOf(profiles.at(-1)!, a))
  const small = ops.filter(op => !isLarge(op))
  const inKernels = (profile: StepProfile) => ops.reduce((sum, op) => sum + msOf(profile, op), 0)
  const countOf = (op: string) => Math.round(profiles[0]!.kernels.get(op)?.count ?? 0)
  const rows = [
    ...large.map(op => row(op, String(countOf(op)), profile => msOf(profile, op))),
    row('other kernels', String(small.reduce((sum, op) => sum + countOf(op), 0)), profile =>
      small.reduce((sum, op) => sum + msOf(profile, op), 0),
    ),
    row('between kernels', '', ({ runMs, ...profile }) => runMs - inKernels({ runMs, ...profile })),
    row('outside of ONNX Runtime', '', ({ stepMs, runMs }) => stepMs - runMs),
    row('all', '', ({ stepMs }) => stepMs),
  ]
  const facts = table(
    ['', ''],
    [
      ['command', `\`${command}\``],
      ['machine', `${machine.cpu}, ${machine.cores} cores`],
    ],
  )
  return [INTRO, '', ...facts, '', ...table(['', 'kernels', ...contexts], rows), ''].join('\n')
}
