import { channel } from 'node:diagnostics_channel'
import type { Diagnostics } from '../platform.js'

/** Channels of `node:diagnostics_channel`. */
export const nodeDiagnostics: Diagnostics = { channel }
