import type { ContestantName } from '../contestants/contestant.js'
import type { CopyResult } from '../copy-bench.js'
import type { PictureResult } from '../picture-bench.js'
import { type Summary, summarize } from '../statistics.js'
import type { TilingResult } from '../tiling-bench.js'
import {
  type BenchReport,
  decodeLimit,
  decodeMedian,
  prefillLimit,
  prefillMedian,
  weightBytes,
} from './bench-report.js'
import { table } from './table.js'
import { targetRows } from './targets.js'

/** The page: what was measured, on what, how it compares. */
export function writeMarkdown(report: BenchReport, plotName: string): string {
  return [
    '# Benchmarks',
    '',
    `Made by the command below; not written by hand. All contestants run the same decoder (that of ${report.shape.name}, random weights`,
    'that every format stores exactly, 4 bits in blocks of 32, embeddings and output layer 8 bits) on the same tokens, greedily,',
    'each in its own process, in turns: round by round, so that a slow minute of the machine hits all alike.',
    '',
    ...machineLines(report),
    '',
    ...(report.text.size === 0 ? [] : textSections(report, plotName)),
    ...section('Pictures', report.pictures && pictureTable(report.pictures.result)),
    ...section('Tiling', report.tiling && tilingTable(report.tiling.result)),
    ...section('Copying', report.copying && copyTable(report.copying.result)),
    '## Targets',
    '',
    ...table(['', 'target', 'measured', ''], targetRows(report)),
    '',
  ].join('\n')
}

function textSections(report: BenchReport, plotName: string): readonly string[] {
  return [
    ...section('Decode', [`![ms a token over the context](${plotName})`, '', ...decodeTable(report)]),
    ...section('Prefill', prefillTable(report)),
    ...section('Load and memory', loadTable(report)),
  ]
}

function section(title: string, lines: readonly string[] | undefined): readonly string[] {
  return lines === undefined ? [] : [`## ${title}`, '', ...lines, '']
}

function machineLines(report: BenchReport): readonly string[] {
  const { machine, limits, numThreads } = report
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  const gigabytes = (machine.memoryBytes / 2 ** 30).toFixed(0)
  return [
    ...table(
      ['', ''],
      [
        ['command', `\`${report.command}\``],
        [
          'date',
          `${report.date}; ${report.minutes.toFixed(1)} minutes; load of the machine before: ${report.loadBefore.toFixed(2)}`,
        ],
        [
          'machine',
          `${machine.cpu}, ${machine.cores} cores (${machine.extensions.join(' ')}), ${gigabytes} GiB, ${machine.system}`,
        ],
        ['threads', `${numThreads} for every contestant`],
        ['versions', `Node ${machine.node}, ${versions.join(', ')}`],
        [
          'memory read',
          `${(limits.bandwidth / 1e9).toFixed(1)} GB/s, the best of ONNX Runtime's ReduceMax and matrix-vector product`,
        ],
        ['float32 GEMM', `${(limits.flops / 1e9).toFixed(0)} GFLOP/s, ONNX Runtime's MatMul`],
      ],
    ),
  ]
}

function decodeTable(report: BenchReport): readonly string[] {
  const contexts = contextsOf(report)
  const rows = [...report.text].map(([name, { decodeMs }]) => [
    name,
    ...contexts.map(context => spread(summarize(decodeMs.get(context)!), 1)),
    ...contexts.map(context =>
      ratio(decodeMedian(report, name, context), decodeMedian(report, 'nvlm-ts', context)),
    ),
  ])
  const limit = [
    `limit: ${(weightBytes(report.shape.decoder) / 1e6).toFixed(0)} MB of weights and the cache, read once`,
    ...contexts.map(context => decodeLimit(report, context).toFixed(1)),
    ...contexts.map(context => ratio(decodeLimit(report, context), decodeMedian(report, 'nvlm-ts', context))),
  ]
  return [
    'ms a token after a context of so many tokens, the choice of the next token included: median (p10 – p90). The times of',
    'nvlm-ts are 1.00×; a larger number is slower.',
    '',
    ...table(
      ['', ...contexts.map(context => `at ${context}`), ...contexts.map(context => `× at ${context}`)],
      [...rows, limit],
    ),
    '',
    'transformers.js starts from a cache with made-up contents, which changes no time; it reads and returns the whole cache at every',
    'token. The limit counts keys and values as float16.',
  ]
}

function prefillTable(report: BenchReport): readonly string[] {
  const lengths = report.plan.prefills
  const perSecond = (name: ContestantName, length: number) =>
    summarize(
      report.text
        .get(name)!
        .prefillMs.get(length)!
        .map(ms => (length / ms) * 1000),
    )
  const rows = [...report.text.keys()].map(name => [
    name,
    ...lengths.map(length => spread(perSecond(name, length), 0)),
    ...lengths.map(length =>
      ratio(prefillMedian(report, 'nvlm-ts', length), prefillMedian(report, name, length)),
    ),
  ])
  const limit = prefillLimit(report).toFixed(0)
  return [
    'Tokens a second from an empty context to the first token: median (p10 – p90).',
    '',
    ...table(
      ['', ...lengths.map(length => `${length} tokens`), ...lengths.map(length => `× at ${length}`)],
      [
        ...rows,
        [
          'limit in float32: layers at the speed of GEMM',
          ...lengths.map(() => limit),
          ...lengths.map(() => ''),
        ],
      ],
    ),
  ]
}

function loadTable(report: BenchReport): readonly string[] {
  const seconds = (times: readonly number[]) => (summarize(times).median / 1000).toFixed(2)
  return [
    'From the start of the process, files in the page cache. Peak memory includes the parts of the model file that are mapped, and a',
    `context of ${Math.max(...report.plan.contexts)} tokens. Drift is the largest difference of 16 log-probabilities after 64 tokens to those of nvlm-ts.`,
    '',
    ...table(
      ['', 'loaded after, s', 'first token after, s', 'peak memory, MB', 'drift'],
      [
        ...[...report.text].map(([name, { readyMs, firstTokenMs, peakBytes: bytes, drift }]) => [
          name,
          seconds(readyMs),
          seconds(firstTokenMs),
          (bytes / 1e6).toFixed(0),
          drift.toFixed(3),
        ]),
        ...wholeModelRow(report),
      ],
    ),
  ]
}

function wholeModelRow({ pictures }: BenchReport): readonly (readonly string[])[] {
  if (pictures === undefined) return []
  const { result, peakBytes } = pictures
  const ready = (result.readyMs / 1000).toFixed(2)
  return [['nvlm-ts, whole model with pictures', ready, '', (peakBytes / 1e6).toFixed(0), '']]
}

function pictureTable({ questions }: PictureResult): readonly string[] {
  const seconds = (times: readonly number[]) => (summarize(times).median / 1000).toFixed(2)
  return [
    'Time to the first token of nvlm-ts for a new picture and for a second question about it; the others take no pictures.',
    '',
    ...table(
      [
        'tiles',
        'prompt tokens',
        'first, s',
        'of it vision',
        'of it prefill',
        'second, s',
        'second ÷ first',
        'cached tokens',
      ],
      questions.map(asked => [
        String(asked.numTiles),
        String(asked.promptTokens),
        seconds(asked.firstMs),
        seconds(asked.visionMs),
        seconds(asked.prefillMs),
        seconds(asked.secondMs),
        (summarize(asked.secondMs).median / summarize(asked.firstMs).median).toFixed(3),
        String(summarize(asked.cachedTokens).median),
      ]),
    ),
  ]
}

function tilingTable(tiling: TilingResult): readonly string[] {
  const { width, height, numTiles, nvlmMs, sharpMs, sharpAllPixelsMs, decodeMs } = tiling
  const milliseconds = (times: readonly number[]) => spread(summarize(times), 0)
  return [
    `A JPEG of ${width} × ${height} pixels to ${numTiles} tiles, ms: median (p10 – p90).`,
    '',
    ...table(
      ['nvlm-ts, pixels as Pillow gives them', 'sharp', 'sharp, all pixels decoded', 'decoding alone'],
      [[milliseconds(nvlmMs), milliseconds(sharpMs), milliseconds(sharpAllPixelsMs), milliseconds(decodeMs)]],
    ),
    '',
    'sharp resizes to the same sizes with its own cubic filter. By itself it has the JPEG decoder leave out pixels, so its outcome differs',
    'from the official one; with all pixels decoded it does the work that an exact resize needs.',
  ]
}

function copyTable(copying: CopyResult): readonly string[] {
  const { promptWords, wrongWords, plainTokensPerSecond, lookupTokensPerSecond, acceptance } = copying
  const plain = summarize(plainTokensPerSecond).median
  const lookup = summarize(lookupTokensPerSecond).median
  const guesses = `${(acceptance * 100).toFixed(0)} % of the guesses right`
  return [
    `The answer repeats a text of ${promptWords} words from the prompt, ${wrongWords} of which differ there.`,
    '',
    ...table(
      ['', 'tokens a second', '×'],
      [
        ['without prompt lookup', plain.toFixed(1), '1.00'],
        [`with prompt lookup (${guesses})`, lookup.toFixed(1), (lookup / plain).toFixed(2)],
      ],
    ),
  ]
}

function contextsOf(report: BenchReport): readonly number[] {
  return [...report.plan.contexts].sort((a, b) => a - b)
}

function spread({ median, p10, p90 }: Summary, digits: number): string {
  return `${median.toFixed(digits)} (${p10.toFixed(digits)} – ${p90.toFixed(digits)})`
}

function ratio(value: number | undefined, base: number | undefined): string {
  return value === undefined || base === undefined ? '' : `${(value / base).toFixed(2)}×`
}
