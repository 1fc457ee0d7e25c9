import { defineConfig } from 'vitest/config'

/** `npm run test:corpus`: pictures that others found dangerous, and bombs at full size. Some minutes; fetches 70 MB once. */
export default defineConfig({
  test: {
    include: ['test/hostile/**/*.test.ts'],
    testTimeout: 1_200_000,
    hookTimeout: 120_000,
    pool: 'forks',
  },
})
