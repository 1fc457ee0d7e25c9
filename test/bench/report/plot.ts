import type { ContestantName } from '../contestants/contestant.js'
import { summarize } from '../statistics.js'
import { type BenchReport, decodeLimit } from './bench-report.js'

const SIZE = { width: 720, height: 400, left: 56, right: 150, top: 36, bottom: 44 }

/** A line of the plot; `low` and `high` bound its band. */
interface Line {
  readonly name: string
  readonly className: string
  readonly points: readonly {
    readonly x: number
    readonly y: number
    readonly low: number
    readonly high: number
  }[]
}

const classNames: Readonly<Record<ContestantName, string>> = {
  'nvlm-ts': 'a',
  'node-llama-cpp': 'b',
  'transformers.js': 'c',
}

/** Readable on light and dark pages; colours told apart also by those who see few. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-weight: 600 }
  .grid { stroke: #ddd } .axis { stroke: #888 }
  .line { fill: none; stroke-width: 2.5 } .band { opacity: .15; stroke: none }
  .a { stroke: #0072b2; fill: #0072b2 } .b { stroke: #d55e00; fill: #d55e00 } .c { stroke: #009e73; fill: #009e73 }
  .limit { stroke: #777; fill: #777; stroke-dasharray: 5 4 }
  .line.a, .line.b, .line.c, .line.limit { fill: none } text.a, text.b, text.c, text.limit { stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .grid { stroke: #444 } .axis { stroke: #999 }
    .a { stroke: #56b4e9; fill: #56b4e9 } .b { stroke: #e69f00; fill: #e69f00 } .c { stroke: #2bd4a4; fill: #2bd4a4 }
    .limit { stroke: #aaa; fill: #aaa }
  }`

/** ms a token over the context, for all contestants and the limit by memory bandwidth, as SVG. */
export function writePlot(report: BenchReport): string {
  const contexts = [...report.plan.contexts].sort((a, b) => a - b)
  const lines = [
    ...[...report.text].map(([name, { decodeMs }]) => lineOf(name, decodeMs, contexts)),
    limitLine(report, contexts),
  ]
  const maxX = contexts.at(-1)!
  const step = niceStep(Math.max(...lines.flatMap(({ points }) => points.map(({ high }) => high))) / 5)
  const maxY =
    step * Math.ceil(Math.max(...lines.flatMap(({ points }) => points.map(({ high }) => high))) / step)
  const x = (value: number) => SIZE.left + (value / maxX) * (SIZE.width - SIZE.left - SIZE.right)
  const y = (value: number) =>
    SIZE.height - SIZE.bottom - (value / maxY) * (SIZE.height - SIZE.top - SIZE.bottom)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="ms a token over context">`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="${SIZE.left}" y="20">ms a token over tokens of context (lower is faster)</text>`,
    ...grid(contexts, maxY, step, x, y),
    ...lines.flatMap(line => drawLine(line, x, y)),
    ...labels(lines, y),
    '</svg>',
    '',
  ].join('\n')
}

function lineOf(
  name: ContestantName,
  decodeMs: ReadonlyMap<number, readonly number[]>,
  contexts: readonly number[],
): Line {
  const points = contexts.map(context => {
    const { median, p10, p90 } = summarize(decodeMs.get(context)!)
    return { x: context, y: median, low: p10, high: p90 }
  })
  return { name, className: classNames[name], points }
}

function limitLine(report: BenchReport, contexts: readonly number[]): Line {
  const points = contexts.map(context => {
    const y = decodeLimit(report, context)
    return { x: context, y, low: y, high: y }
  })
  return { name: 'memory limit', className: 'limit', points }
}

type Scale = (value: number) => number

function grid(
  contexts: readonly number[],
  maxY: number,
  step: number,
  x: Scale,
  y: Scale,
): readonly string[] {
  const right = SIZE.width - SIZE.right
  const parts: string[] = []
  for (let value = 0; value <= maxY; value += step) {
    parts.push(
      `<line class="${value === 0 ? 'axis' : 'grid'}" x1="${SIZE.left}" x2="${right}" y1="${round(y(value))}" y2="${round(y(value))}"/>`,
    )
    parts.push(`<text x="${SIZE.left - 8}" y="${round(y(value) + 4)}" text-anchor="end">${value}</text>`)
  }
  for (const context of contexts) {
    parts.push(
      `<text x="${round(x(context))}" y="${SIZE.height - SIZE.bottom + 20}" text-anchor="middle">${context}</text>`,
    )
  }
  return parts
}

function drawLine({ className, points }: Line, x: Scale, y: Scale): readonly string[] {
  const path = (select: (point: Line['points'][number]) => number) =>
    points.map(point => `${round(x(point.x))},${round(y(select(point)))}`)
  const band = [...path(({ low }) => low), ...path(({ high }) => high).reverse()]
  return [
    `<polygon class="band ${className}" points="${band.join(' ')}"/>`,
    `<polyline class="line ${className}" points="${path(point => point.y).join(' ')}"/>`,
  ]
}

/** Names at the right ends, pushed apart where they would lie on each other. */
function labels(lines: readonly Line[], y: Scale): readonly string[] {
  const sorted = [...lines].sort((a, b) => b.points.at(-1)!.y - a.points.at(-1)!.y)
  let free = 0
  return sorted.map(({ name, className, points }) => {
    const place = Math.max(y(points.at(-1)!.y) + 4, free)
    free = place + 16
    return `<text class="${className}" x="${SIZE.width - SIZE.right + 8}" y="${round(place)}">${name}</text>`
  })
}

/** The next larger of 1, 2, 5 times a power of ten. */
function niceStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast))
  return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= atLeast)!
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
