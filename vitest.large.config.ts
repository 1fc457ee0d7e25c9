import { defineConfig } from 'vitest/config'

/** Tests at the size of the real model: 12 GB of memory, 6 GB of disk, some minutes. Not part of `npm test`. */
export default defineConfig({
  test: { include: ['test/large/**/*.test.ts'], testTimeout: 1_200_000, hookTimeout: 600_000, pool: 'forks' },
})
