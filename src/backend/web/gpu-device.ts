import { browser, type GpuAdapter, type GpuDevice } from '../../platform/web/browser.js'

/**
 * Smallest subgroup with which attention is right. With 4, as software adapters have, the kernels that use subgroups gave
 * silently wrong attention for 33 rows and more.
 */
const MIN_SUBGROUP_SIZE = 8

/** Features that the engine makes use of when they are there. */
const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query']

/** Limits that the engine wants as high as they go. */
const LIMITS = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxStorageBuffersPerShaderStage',
]

/** The graphics adapter of this machine, or a sentence that says why there is none. */
export async function findAdapter(): Promise<GpuAdapter | string> {
  const { gpu } = browser.navigator
  if (gpu === undefined) return 'this browser has no WebGPU here'
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
    return adapter ?? 'WebGPU has no adapter here'
  } catch (error) {
    return `WebGPU gives no adapter: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Is it a processor that plays a graphics card? Those are slower than WASM. */
export function isSoftware({ info }: GpuAdapter): boolean {
  return info?.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe/i.test(describeAdapter(info))
}

/** Open the adapter's device with what the engine wants, without subgroups where they are too small. */
export function openDevice(adapter: GpuAdapter): Promise<GpuDevice> {
  const hasSafeSubgroups = (adapter.info?.subgroupMinSize ?? 0) >= MIN_SUBGROUP_SIZE
  const requiredFeatures = FEATURES.filter(
    name => adapter.features.has(name) && (name !== 'subgroups' || hasSafeSubgroups),
  )
  const requiredLimits = Object.fromEntries(
    LIMITS.flatMap(name => {
      const limit = adapter.limits[name]
      return limit === undefined ? [] : [[name, limit]]
    }),
  )
  return adapter.requestDevice({ requiredFeatures, requiredLimits })
}

function describeAdapter(info: GpuAdapter['info']): string {
  const { vendor, architecture, device, description } = (info ?? {}) as Readonly<Record<string, unknown>>
  return [vendor, architecture, device, description].join(' ')
}
