import { z } from 'zod'
import { NVLMError } from '../core/errors.js'
import { requireFileName } from '../formats/file-name.js'
import { parseJson } from '../formats/json.js'

/** Name of the manifest in a prepared folder. */
export const MANIFEST_NAME = 'nvlm.json'

/** Raised when a folder of an older form can no longer be read. */
const FORMAT_VERSION = 1
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
  /** What the graphs compute in. */
  dtype: z.strictObject({
    vision: z.literal('fp32'),
    projector: z.literal('fp32'),
    decoder: z.literal('fp32'),
  }),
  /** The ONNX files; vision and projector are absent for a model that takes text only. */
  graphs: z.strictObject({ vision: filePart.optional(), projector: filePart.optional(), decoder: filePart }),
  /** Settings and tokenizer files, copied from the checkpoint. */
  copies: z.array(filePart),
  /** The checkpoint, whose weight files the graphs read in place. */
  checkpoint: z.strictObject({
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
        }),
      )
      .min(1)
      .max(10_000),
  }),
  /** Where the token embeddings lie. */
  embedding: z.strictObject({
    file: fileName,
    dtype: z.enum(['F32', 'F16', 'BF16']),
    vocabSize: z.number().int().min(1),
    hiddenSize: z.number().int().min(1),
    offset: byteCount,
  }),
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
  const { graphs, copies, checkpoint, embedding } = result.data
  const parts = [graphs.vision, graphs.projector, graphs.decoder, ...copies].flatMap(part => part?.file ?? [])
  for (const name of [...parts, ...checkpoint.files.map(file => file.name), embedding.file])
    requireFileName(name, path)
  return result.data
}
