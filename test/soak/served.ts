import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The built command `nvlm`. */
export const command = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url))

/** `nvlm serve` in a process of its own, with what can be seen of it from outside. Needs `ps`. */
export class Served {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
  ) {}

  /** @param nodeFlags - of Node, for the server and its engine */
  static async start(flags: readonly string[], nodeFlags: readonly string[] = []): Promise<Served> {
    const child = spawn(process.execPath, [...nodeFlags, command, 'serve', '--port', '0', ...flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout!.once('data', data => resolve(String(data).trim()))
      child.once('exit', code => reject(new Error(`nvlm serve exited with code ${code}`)))
    })
    process.once('exit', () => child.kill())
    return new Served(url, child)
  }

  get pid(): number {
    return this.process.pid!
  }

  /** The engine's process; undefined while there is none. */
  get enginePid(): number | undefined {
    const rows = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n')
    const row = rows.find(line => {
      const [, parent] = line.trim().split(/\s+/)
      return Number(parent) === this.pid && line.includes('engine-process.js')
    })
    return row === undefined ? undefined : Number(row.trim().split(/\s+/)[0])
  }

  /** Stop as an operator does; gives the exit code and how long it took. */
  async stop(): Promise<{ readonly code: number | null; readonly ms: number }> {
    const startedAt = performance.now()
    this.process.kill('SIGTERM')
    const code = await new Promise<number | null>(resolve => this.process.once('exit', resolve))
    return { code, ms: performance.now() - startedAt }
  }
}

/** Resident memory of a process in bytes; undefined if it is gone. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined
  }
}

/** Open files and sockets of a process. */
export function numOpenFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
