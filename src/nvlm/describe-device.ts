import type { ModelInfo } from './stages.js'

/** Where a model runs: one word when all stages run there, else each stage with its own. */
export function describeDevice({ device }: Pick<ModelInfo, 'device'>): string {
  const devices = Object.entries(device)
  const [first] = devices
  const isOne = devices.every(([, name]) => name === first?.[1])
  return isOne && first ? first[1] : devices.map(([part, name]) => `${part}: ${name}`).join(', ')
}
