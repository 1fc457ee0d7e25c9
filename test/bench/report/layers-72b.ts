import type { Limits } from '../limits.js'
import type { Machine } from '../machine.js'
import { table } from './table.js'

/** Measured times of single layers, in ms. */
export interface LayerTimes {
  /** A layer of InternViT-6B, one tile. */
  readonly visionLayerMs: number
  /** The whole projector, one tile. */
  readonly projectorMs: number
  /** A decoder layer, for each token of a prompt of `contextTokens`, and for one token after it. */
  readonly prefillLayerMs: number
  readonly decodeLayerMs: number
  readonly contextTokens: number
}

/** What a run measured. */
export interface LayerReport {
  readonly machine: Machine
  readonly numThreads: number
  readonly limits: Limits
  readonly times: LayerTimes
  readonly peakBytes: number
  readonly command: string
}

/** NVLM-D-72B: numbers of weights, from the published shapes. */
const MODEL = {
  decoderLayers: 80,
  visionLayers: 45,
  decoderLayerWeights: 877_658_112,
  headWeights: 152_064 * 8192,
  embeddingWeights: 152_064 * 8192,
  visionWeights: 5_536_496_000,
  projectorWeights: 620_717_056,
  /** Keys and values of one token, in elements. */
  cacheElements: 2 * 80 * 8 * 128,
}

/** Bits that a weight takes in each way of storing the decoder; output layer and embeddings; projector and vision. */
const DTYPES = [
  { name: 'bf16', layers: 16, head: 16, projector: 16, vision: 16 },
  { name: 'q8', layers: 9, head: 9, projector: 9, vision: 16 },
  { name: 'q4', layers: 5.125, head: 9, projector: 9, vision: 16 },
] as const

/** Machines by the bandwidth and the memory that their makers publish. */
const MACHINES = [
  { name: 'desktop, 2 channels DDR5-5600', bandwidth: 90e9, memory: 128e9 },
  { name: 'server, 12 channels DDR5-4800', bandwidth: 460e9, memory: 768e9 },
  { name: 'Apple M2 Ultra', bandwidth: 800e9, memory: 192e9 },
  { name: 'NVIDIA RTX 4090', bandwidth: 1008e9, memory: 24e9 },
  { name: 'NVIDIA A100 80 GB', bandwidth: 2039e9, memory: 80e9 },
  { name: 'NVIDIA H100 SXM', bandwidth: 3350e9, memory: 80e9 },
  { name: 'NVIDIA H200', bandwidth: 4800e9, memory: 141e9 },
] as const

/** Tokens of context that memory and cache are counted with: a picture of seven tiles, a question and an answer. */
const CONTEXT = 4096

/** Tokens of a prompt with a picture of seven tiles. */
const PROMPT = 1852
const TILES = 7

export function writeLayerReport(report: LayerReport): string {
  return [
    '# At the size of NVLM-D-72B',
    '',
    'Made by the command below; not written by hand. Nobody ran the whole model here: **two layers of each tower were**, with random',
    'weights of the true shapes (decoder hidden 8192, intermediate 29568, 64 and 8 heads, q4; vision hidden 3200, 25 heads, float).',
    'What is computed from these times or from bandwidths that makers publish is called projected.',
    '',
    ...machineLines(report),
    '',
    '## Measured and projected on this machine',
    '',
    ...timeTable(report),
    '',
    '## Memory',
    '',
    ...memoryTable(),
    '',
    '## Projected decode on other machines',
    '',
    ...bandwidthTable(),
    '',
  ].join('\n')
}

function machineLines({ machine, numThreads, limits, command, peakBytes }: LayerReport): readonly string[] {
  return table(
    ['', ''],
    [
      ['command', `\`${command}\``],
      [
        'machine',
        `${machine.cpu}, ${machine.cores} cores (${machine.extensions.join(' ')}), ${numThreads} threads`,
      ],
      ['memory read', `${(limits.bandwidth / 1e9).toFixed(1)} GB/s`],
      ['float32 GEMM', `${(limits.flops / 1e9).toFixed(0)} GFLOP/s`],
      ['peak memory of the two layers', `${(peakBytes / 1e9).toFixed(1)} GB`],
    ],
  )
}

function timeTable({ times, limits }: LayerReport): readonly string[] {
  const { visionLayerMs, projectorMs, prefillLayerMs, decodeLayerMs, contextTokens } = times
  const layerBytes = (MODEL.decoderLayerWeights * DTYPES[2].layers) / 8
  const reached = layerBytes / (decodeLayerMs / 1000)
  const headMs = ((MODEL.headWeights * DTYPES[2].head) / 8 / reached) * 1000
  const tokenMs = MODEL.decoderLayers * decodeLayerMs + headMs
  const tileMs = MODEL.visionLayers * visionLayerMs + projectorMs
  const promptMs = MODEL.decoderLayers * prefillLayerMs * PROMPT
  return [
    ...table(
      ['', 'one layer, measured', 'all layers, projected'],
      [
        [
          'decode, a token',
          `${decodeLayerMs.toFixed(1)} ms`,
          `${(tokenMs / 1000).toFixed(2)} s (output layer: ${headMs.toFixed(0)} ms)`,
        ],
        [
          'prefill, a token',
          `${prefillLayerMs.toFixed(2)} ms`,
          `${((MODEL.decoderLayers * prefillLayerMs) / 1000).toFixed(2)} s`,
        ],
        [
          'vision, a tile',
          `${(visionLayerMs / 1000).toFixed(2)} s`,
          `${(tileMs / 1000).toFixed(0)} s (projector, measured: ${(projectorMs / 1000).toFixed(2)} s)`,
        ],
        [
          `a picture of ${TILES} tiles to the first token`,
          '',
          `${((TILES * tileMs + promptMs) / 60_000).toFixed(0)} minutes`,
        ],
      ],
    ),
    '',
    `Decode after ${contextTokens} tokens reads its weights at ${(reached / 1e9).toFixed(1)} GB/s, ${((100 * reached) / limits.bandwidth).toFixed(0)} % of what memory gives here. The`,
    'model does not fit into this machine; the projection is for one with as many cores of this kind and enough memory.',
  ]
}

function memoryTable(): readonly string[] {
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1)
  return [
    `GB, computed from the shapes. A token of context takes 320 KiB in bfloat16 and 640 KiB in float32, which is what the CPU keeps.`,
    '',
    ...table(
      ['', 'decoder', 'vision and projector', 'all weights', `with ${CONTEXT} tokens in float32`],
      DTYPES.map(dtype => {
        const decoder = decoderBytes(dtype)
        const pictures = (MODEL.visionWeights * dtype.vision + MODEL.projectorWeights * dtype.projector) / 8
        const cache = MODEL.cacheElements * 4 * CONTEXT
        return [dtype.name, decoder, pictures, decoder + pictures, decoder + pictures + cache].map(value =>
          typeof value === 'string' ? value : gigabytes(value),
        )
      }),
    ),
  ]
}

function bandwidthTable(): readonly string[] {
  return [
    `Tokens a second if reading weights, and ${CONTEXT} tokens of keys and values in bfloat16, took all the time: no machine is faster, real ones`,
    'are slower. A dash: weights and cache do not fit.',
    '',
    ...table(
      ['', 'GB/s', ...DTYPES.map(({ name }) => name)],
      MACHINES.map(({ name, bandwidth, memory }) => [
        name,
        String(bandwidth / 1e9),
        ...DTYPES.map(dtype => {
          const cache = MODEL.cacheElements * 2 * CONTEXT
          const pictures = (MODEL.visionWeights * dtype.vision + MODEL.projectorWeights * dtype.projector) / 8
          if (decoderBytes(dtype) + pictures + cache > memory) return '–'
          return (bandwidth / (readBytes(dtype) + cache)).toFixed(1)
        }),
      ]),
    ),
  ]
}

type Dtype = (typeof DTYPES)[number]

/** Bytes that every token reads. */
function readBytes({ layers, head }: Dtype): number {
  return (MODEL.decoderLayers * MODEL.decoderLayerWeights * layers + MODEL.headWeights * head) / 8
}

function decoderBytes(dtype: Dtype): number {
  return readBytes(dtype) + (MODEL.embeddingWeights * dtype.head) / 8
}
