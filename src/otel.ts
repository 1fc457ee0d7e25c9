import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type OpenTelemetryOptions, observeGenerations } from './otel/observe-generations.js'

export type { OpenTelemetryOptions } from './otel/observe-generations.js'

/**
 * Report the generations of all models in this process to OpenTelemetry, as spans and measurements.
 *
 * Call it once, after the SDK is set up. What is recorded is decided by the `telemetry` option of `NVLM.load` and `generate`.
 *
 * @returns stops it
 */
export function registerOpenTelemetry(options: OpenTelemetryOptions = {}): () => void {
  return observeGenerations({ subscribe, unsubscribe }, options)
}
