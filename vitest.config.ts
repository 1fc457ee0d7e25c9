import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // true-sized models: `npm run test:large`; pictures of other projects: `npm run test:corpus`
    exclude: ['test/large/**', 'test/hostile/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
