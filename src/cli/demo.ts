import { describeMs, describeTokens, streamAnswer, withModel } from './answer.js'
import { UsageError } from './args.js'
import type { Command } from './command.js'
import { paint, table } from './output.js'
import { noImagesFlag } from './source-flags.js'
import { drawPicture } from './terminal/draw-picture.js'
import { findGraphics } from './terminal/graphics.js'

/** `nvlm demo`: the main job on what comes with the package. */
export const demo: Command = {
  name: 'demo',
  operands: '',
  summary: 'Answer a question about a picture, both inside the package, with the tiny model.',
  flags: [noImagesFlag],
  async run(args, context) {
    if (args.operands.length > 0) throw new UsageError(`unexpected argument "${args.operands[0]}"`)
    const { out, api, signal } = context
    await withModel(undefined, {}, context, async model => {
      const { image, question } = api.demo
      out.write(
        table(out, [
          ['model', model.id],
          ['picture', image],
          ['question', question],
        ]),
      )
      const graphics = args.has(noImagesFlag.name) ? undefined : await findGraphics(context)
      if (graphics) await drawPicture((await api.openPicture(image, signal)).pixels, graphics, out)
      out.write(`${paint(out, 'bold', 'answer')}\n`)
      const answer = model.generate({ prompt: question, images: [image], signal })
      const result = await streamAnswer(answer, context)
      const { timings } = result
      out.write(
        table(out, [
          ['tokens', describeTokens(result)],
          ['picture', `${describeMs(timings.preprocessMs)} to cut, ${describeMs(timings.visionMs)} to see`],
          ['prompt', `${describeMs(timings.prefillMs)} to read`],
          ['first token', `after ${describeMs(timings.timeToFirstTokenMs)}`],
          [
            'answer',
            `${describeMs(timings.decodeMs)}, ${timings.tokensPerSecond.toFixed(1)} tokens a second`,
          ],
          ['device', result.device],
        ]),
      )
    })
  },
}
