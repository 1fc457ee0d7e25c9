import { defineConfig } from 'vitest/config'

/** `npm run fusion:cost`: compute what prompts cost with each fusion, and write the table of docs/fusion.md anew. */
export default defineConfig({
  test: {
    include: ['test/models/prompt-cost.test.ts'],
    env: { NVLM_FUSION_TABLE: 'docs/fusion.md' },
  },
})
