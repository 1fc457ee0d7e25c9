/** How a process ended: by a signal, such as SIGKILL where memory ran out, or with an exit code. */
export function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `code ${code}` : `signal ${signal}`
}
