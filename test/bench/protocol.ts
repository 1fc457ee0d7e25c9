import type { ContestantName, ContestantSettings } from './contestants/contestant.js'

/** What the parent asks a contestant's process to do; one thing at a time. */
export type Question =
  | {
      readonly type: 'load'
      readonly name: ContestantName
      readonly settings: ContestantSettings
      readonly contextLength: number
    }
  | { readonly type: 'prefill'; readonly inputIds: readonly number[] }
  | {
      readonly type: 'decode'
      readonly inputIds: readonly number[]
      readonly context: number
      readonly steps: number
    }
  | {
      readonly type: 'logProbabilities'
      readonly inputIds: readonly number[]
      readonly tokens: readonly number[]
    }
  | { readonly type: 'end' }

export type Answer =
  | { readonly type: 'time'; readonly ms: number; readonly token: number | undefined }
  | { readonly type: 'times'; readonly ms: readonly number[] }
  | { readonly type: 'values'; readonly values: readonly number[] }
  | { readonly type: 'memory'; readonly peakBytes: number }
  | { readonly type: 'error'; readonly message: string }
