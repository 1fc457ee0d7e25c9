import { expect, test } from 'vitest'
import { frameParts } from '../../src/nvlm/frame-parts.js'
import { parsePromptOptions } from '../../src/nvlm/generate-options.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { nodeHost } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder } from '../support/official-golden.js'

test('frames are written as InternVL’s own code writes a video', async () => {
  const frame = { width: 2, height: 1, data: new Uint8Array(6) }
  const content = [...frameParts([frame, frame]), { type: 'text' as const, text: 'What happens?' }]
  const { messages } = parsePromptOptions({ messages: [{ role: 'user', content }] }, 'test')
  const stages = await loadStages(nodeHost, checkpointFolder('internvl-tiny-fp32'), { device: 'cpu' })
  const prompt = stages.tokenizer.buildPrompt(messages, [1, 1])
  const image = `<img>${'<IMG_CONTEXT>'.repeat(stages.info.tile!.tokens)}</img>`
  // video_prefix = ''.join([f'Frame{i+1}: <image>\n' ...]); question = video_prefix + question
  expect(prompt).toContain(`user\nFrame1: ${image}\nFrame2: ${image}\nWhat happens?<|im_end|>`)
  expect(messages[0]?.content[1]).toMatchObject({ type: 'image', tiles: { minTiles: 1, maxTiles: 1 } })
  await stages.dispose()
})
