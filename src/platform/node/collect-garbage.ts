/**
 * Free memory that nothing refers to any more, now. Takes about 35 ms with a heap of 30 MB.
 *
 * The engine of JavaScript does not see the pixels that sharp hands over, and lets them lie: after some large pictures
 * that is a gigabyte. The inspector's protocol is the documented way that needs no flag of the process; a Node that was
 * built without it keeps its own pace.
 */
export async function collectGarbage(): Promise<void> {
  const inspector = await import('node:inspector').catch(() => undefined)
  if (inspector === undefined) return
  const session = new inspector.Session()
  session.connect()
  await new Promise<void>(resolve => session.post('HeapProfiler.collectGarbage', () => resolve()))
  session.disconnect()
  // what was found is given back in the next turn
  await new Promise(resolve => setImmediate(resolve))
}
