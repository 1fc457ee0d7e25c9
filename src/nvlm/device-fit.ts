import type { Device } from '../backend/backend.js'
import type { ModelNeeds } from './model-needs.js'

/** Can a device run a model? */
export interface DeviceFit {
  readonly device: Device
  /** `unknown`: it may, and nobody has tried. */
  readonly canRun: 'yes' | 'no' | 'unknown'
  /** Why not, or under which condition. */
  readonly reason?: string | undefined
}

const KNOWN: readonly Device[] = ['cpu', 'cuda', 'webgpu', 'dml', 'coreml']

/**
 * Say of each device whether it can run a model, and why not.
 *
 * @param available - devices that the engine has
 * @param needs - of each dtype; empty if they are not known
 * @param memoryBytes - of the machine; Infinity if it is not known
 */
export function describeDevices(
  available: readonly Device[],
  needs: readonly ModelNeeds[],
  memoryBytes: number,
): readonly DeviceFit[] {
  return KNOWN.map(device => {
    if (!available.includes(device))
      return { device, canRun: 'no', reason: 'its libraries are not installed' }
    if (device === 'cpu') return describeCpu(needs, memoryBytes)
    return { device, canRun: 'unknown', reason: 'not tested yet; its memory is not known' }
  })
}

function describeCpu(needs: readonly ModelNeeds[], memoryBytes: number): DeviceFit {
  const fitting = needs.filter(one => one.memoryBytes <= memoryBytes).map(({ dtype }) => dtype)
  if (fitting.length === needs.length) return { device: 'cpu', canRun: 'yes' }
  if (fitting.length === 0) return { device: 'cpu', canRun: 'no', reason: 'not enough memory' }
  return { device: 'cpu', canRun: 'yes', reason: `memory is enough for ${fitting.join(', ')}` }
}
