/**
 * Import a library to compare with. It is not installed with the root: `npm --prefix test/bench install` does that.
 *
 * The name is not a literal, so that type checks pass without the package.
 */
export async function importPeer<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module
}
