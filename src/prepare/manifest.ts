import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { requireFileName } from '../formats/file-name.js'
import { parseJson } from '../formats/json.js'
import { fusionNames } from '../models/fusion.js'
import { graphNames } from './graph-names.js'
import { sha256Hex } from './sha256.js'
import { stageDtypesSchema } from './stage-dtypes.js'

/** Name of the manifest in a prepared folder. */
export const MANIFEST_NAME = 'nvlm.json'

/** Raised when a folder of an older form can no longer be read. */
const FORMAT_VERSION = 4
const MAX_MANIFEST_BYTES = 10_000_000

const fileName = z.string().min(1).max(255)
const byteCount = z.number().int().min(0)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const filePart = z.strictObject({ file: fileName, bytes: byteCount, sha256 })

const manifestSchema = z.strictObject({
  format: z.literal('nvlm-ts'),
  version: z.literal(FORMAT_VERSION),
  /** Name of the model definition that built the graphs. */
  family: z.string(),
  /** What the card of the checkpoint says of its licence; absent if it has no card, or the card names none. */
  license: z
    .strictObject({
      id: z.string(),
      name: z.string().optional(),
      link: z.string().optional(),
      isNonCommercial: z.boolean(),
    })
    .optional(),
  /** What the weights are stored as. */
  dtype: stageDtypesSchema,
  /** How weights were rounded to blocks, and what MatMulNBits rounds its input to. */
  blocks: z.strictObject({ rounding: z.string(), activations: z.enum(['int8', 'fp32']) }),
  /** How pictures reach the language model; absent in folders of older releases, and for a model that takes text only. */
  fusion: z.enum(fusionNames).optional(),
  /**
   * The ONNX files; vision and projector are absent for a model that takes text only, crossKeys for one without
   * cross-attention.
   */
  graphs: z.strictObject({
    vision: filePart.optional(),
    projector: filePart.optional(),
    decoder: filePart,
    crossKeys: filePart.optional(),
  }),
  /** The decoder's graphs for several sequences at once; absent for a model with cross-attention. */
  batchGraphs: z
    .array(filePart.extend({ slots: z.number().int().min(2).max(64) }))
    .max(8)
    .optional(),
  /** Settings and tokenizer files, copied from the checkpoint. */
  copies: z.array(filePart),
  /** Weights of the folder's own; none if the graphs read those of the checkpoint. */
  data: z.array(filePart).max(10_000),
  /** The checkpoint whose weight files the graphs read in place; absent if the folder has weights of its own. */
  checkpoint: z
    .strictObject({
      /** Relative path from this folder. */
      folder: z.string().min(1),
      totalBytes: byteCount,
      files: z
        .array(
          z.strictObject({
            name: fileName,
            /** Name in the graphs: relative to the folder of the real files. */
            location: z.string().min(1),
            bytes: byteCount,
            /** Hash of the safetensors header: names, types, shapes and places. */
            headerSha256: sha256,
            /** Hash of the whole file; only on request, since that reads all weights. */
            sha256: sha256.optional(),
          }),
        )
        .min(1)
        .max(10_000),
    })
    .optional(),
  /** Where the token embeddings lie. */
  embedding: z.strictObject({
    dtype: z.enum(['F32', 'F16', 'BF16', 'q8', 'q4']),
    vocabSize: z.number().int().min(1),
    hiddenSize: z.number().int().min(1),
    /** In the order of the rows. */
    pieces: z
      .array(
        z.strictObject({
          file: fileName,
          rows: z.number().int().min(1),
          offset: byteCount,
          scalesOffset: byteCount.optional(),
          zeroPointsOffset: byteCount.optional(),
        }),
      )
      .min(1)
      .max(10_000),
  }),
  /** See `encodeManifest`. */
  manifestSha256: sha256,
})

/** What a prepared folder says of itself: `nvlm.json`. */
export type Manifest = Readonly<z.output<typeof manifestSchema>>

/** The fixed first fields of a new manifest. */
export const manifestHeader = { format: 'nvlm-ts', version: FORMAT_VERSION } as const

/**
 * Read a manifest.
 *
 * @throws {NVLMError} MODEL_INVALID naming the field, MODEL_UNSUPPORTED for another version
 */
export function parseManifest(bytes: Uint8Array, path: string): Manifest {
  const json = parseJson(bytes, { path, maxBytes: MAX_MANIFEST_BYTES })
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined
  if (typeof version === 'number' && version !== FORMAT_VERSION) {
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `${path}: is of version ${version}, this release reads version ${FORMAT_VERSION}`,
      {
        hint: 'Prepare the checkpoint again with this release.',
      },
    )
  }
  const result = manifestSchema.safeParse(json)
  if (!result.success) {
    const issue = result.error.issues[0]
    throw new NVLMError(
      'MODEL_INVALID',
      `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}`,
      {
        hint: 'Prepare the checkpoint again.',
        cause: result.error,
      },
    )
  }
  checkNames(result.data, path)
  return result.data
}

/** Names are plain, and embeddings lie in files that the manifest lists. */
function checkNames(manifest: Manifest, path: string): void {
  const { graphs, batchGraphs = [], copies, data, checkpoint, embedding } = manifest
  const own = [...graphNames.map(name => graphs[name]), ...batchGraphs, ...copies]
  const parts = own.flatMap(part => part?.file ?? [])
  const weightFiles = checkpoint ? checkpoint.files.map(({ name }) => name) : data.map(({ file }) => file)
  for (const name of [...parts, ...data.map(({ file }) => file), ...weightFiles]) requireFileName(name, path)
  const numRows = embedding.pieces.reduce((sum, { rows }) => sum + rows, 0)
  const stray = embedding.pieces.find(({ file }) => !weightFiles.includes(file))
  if (
    stray === undefined &&
    numRows === embedding.vocabSize &&
    (checkpoint === undefined) === data.length > 0
  )
    return
  const problem =
    stray === undefined
      ? `weights or embedding rows do not add up (${numRows} of ${embedding.vocabSize})`
      : `embedding.pieces: ${stray.file} is no weight file`
  throw new NVLMError('MODEL_INVALID', `${path}: ${problem}`, { hint: 'Prepare the checkpoint again.' })
}

/** The manifest as text, with the hash of the text without it as the last field. */
export async function encodeManifest(manifest: Omit<Manifest, 'manifestSha256'>): Promise<Uint8Array> {
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  const hash = await sha256Hex(new TextEncoder().encode(text))
  const end = text.length - END.length
  return new TextEncoder().encode(`${text.slice(0, end)},\n  "manifestSha256": "${hash}"${END}`)
}

/** Is every byte of a manifest as it was written? */
export async function isManifestWhole(bytes: Uint8Array): Promise<boolean> {
  const text = new TextDecoder().decode(bytes)
  const match = /,\n {2}"manifestSha256": "([0-9a-f]{64})"\n\}\n$/.exec(text)
  if (match === null) return false
  return (await sha256Hex(new TextEncoder().encode(text.slice(0, match.index) + END))) === match[1]
}

/** How the text of a manifest ends. */
const END = '\n}\n'
