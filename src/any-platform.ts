import type * as node from './node.js'
import type * as web from './web.js'

// Types only: what `nvlm-ts` is where TypeScript can't tell a browser from Node, as with `moduleResolution: "bundler"`. Each
// platform's own types are those of `nvlm-ts/node` and `nvlm-ts/web`.
export * from './node.js'
export {
  type CachedModel,
  modelCache,
  type WebLoadOptions,
  type WebSettings,
  type WebStageOptions,
} from './web.js'

/** A loaded vision-language model: pictures and text in, text out. */
export type NVLM = node.NVLM
export declare const NVLM: typeof node.NVLM & typeof web.NVLM

/** Text ↔ token ids, and conversations → prompts, exactly as the official code does. */
export type Tokenizer = node.Tokenizer
export declare const Tokenizer: typeof node.Tokenizer & typeof web.Tokenizer

/** Any picture → tiles, pixel for pixel as the official code cuts them. */
export type ImageTiler = node.ImageTiler
export declare const ImageTiler: typeof node.ImageTiler & typeof web.ImageTiler

/** Load the five layers of a model, to use them one by one. They run in the calling thread. */
export declare const loadStages: typeof node.loadStages & typeof web.loadStages
