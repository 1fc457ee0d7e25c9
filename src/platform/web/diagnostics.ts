import type { Diagnostics } from '../platform.js'

/** Browsers have no channels; a logger and the events of a generation tell the same. */
export const webDiagnostics: Diagnostics = { channel: () => ({ hasSubscribers: false, publish() {} }) }
