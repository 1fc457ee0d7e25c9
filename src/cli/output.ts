import { styleText } from 'node:util'

/** A stream that text is written to. */
export interface Output {
  write(text: string): void
  readonly isTTY: boolean
  readonly hasColors: boolean
  /** Has it colours of 24 bits? */
  readonly hasTrueColors: boolean
  /** Width of the terminal; 80 where there is none. */
  readonly columns: number
}

/** How a word is painted. */
export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

/** Paint `text` where the output has colours. */
export function paint(output: Output, style: Style, text: string): string {
  return output.hasColors ? styleText(style, text, { validateStream: false }) : text
}

/** The output of a stream of this process. Colours follow NO_COLOR, FORCE_COLOR and TERM, as Node reads them. */
export function streamOutput(stream: NodeJS.WriteStream): Output {
  return {
    write: text => stream.write(text),
    isTTY: stream.isTTY === true,
    hasColors: stream.isTTY === true && stream.hasColors(),
    hasTrueColors: stream.isTTY === true && stream.hasColors(2 ** 24),
    // as it is now: a window changes its size; a terminal without one says 0
    get columns() {
      return stream.columns || 80
    },
  }
}

/**
 * Text that a model or file made, fit for a terminal: without control characters that could move the cursor, retitle the
 * window or paste. Newlines and tabs stay; what is not a terminal gets the text as it is.
 */
export function printable(output: Pick<Output, 'isTTY'>, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be removed
  return output.isTTY ? text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '') : text
}

/** Rows of name and value, the values below each other. */
export function table(output: Output, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${paint(output, 'dim', name.padEnd(width))}  ${value}\n`).join('')
}
