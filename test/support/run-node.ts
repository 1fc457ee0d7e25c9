import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Folder of the project. */
export const projectFolder = fileURLToPath(new URL('../..', import.meta.url))

/** What a finished process leaves behind. */
export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Settings of `runNode`. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process as it starts. */
  readonly onStart?: (child: ChildProcess) => void
}

/** Run Node on the built package, from the project's folder and without a terminal. */
export function runNode(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  if (!existsSync(`${projectFolder}/dist/cli.js`))
    throw new Error('dist/ is missing: run `npm run build` first')
  const child = spawn(process.execPath, [...args], {
    cwd: projectFolder,
    env: { ...process.env, FORCE_COLOR: undefined, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => (out += text))
  child.stderr.setEncoding('utf8').on('data', text => (err += text))
  options.onStart?.(child)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, out, err }))
  })
}
