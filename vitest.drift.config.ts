import { defineConfig } from 'vitest/config'

/** `npm run drift`: measure every dtype and write docs/precision.md anew. */
export default defineConfig({
  test: {
    include: ['test/prepare/drift.test.ts'],
    env: { NVLM_DRIFT_TABLE: 'docs/precision.md' },
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
  },
})
