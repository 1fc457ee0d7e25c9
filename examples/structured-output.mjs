// @ts-check
// Answers in a form: one of several texts, a pattern, a value of a schema.
//   node examples/structured-output.mjs
import { fileURLToPath } from 'node:url'
import { NVLM } from 'nvlm-ts'
import { z } from 'zod'

/** @param {string} name */
const picture = name => fileURLToPath(new URL(`pictures/${name}`, import.meta.url))
const [sign, shapes] = [picture('sign.png'), picture('shapes.png')]

const nvlm = await NVLM.load()
try {
  const colours = /** @type {const} */ (['red', 'green', 'blue', 'yellow'])
  const choices = colours.map(colour => `The star is ${colour}.`)
  const colour = await nvlm.generate('What colour is the star?', { images: shapes, choices }).text()
  console.log(`choice:  ${colour}`)

  const regex = /[A-Z]+ \$\d+\.\d\d/
  const price = await nvlm.generate('What does the sign say?', { images: sign, regex }).text()
  console.log(`pattern: ${price}`)

  // the tiny model has never seen JSON: what it writes is valid, but a larger model is needed to make it true
  const schema = z.object({
    item: z.string().min(1).max(12),
    price: z.number().min(0).max(99),
    size: z.enum(['small', 'large']).optional(),
  })
  const reply = nvlm.generate('What does the sign say?', { images: sign, schema })
  let numValues = 0
  for await (const partial of reply.partialObjects) if (partial.item !== undefined) numValues++
  const { object } = await reply
  console.log(
    `schema:  ${JSON.stringify(object)}, valid: ${schema.safeParse(object).success}, seen as it grew: ${numValues > 1}`,
  )
} finally {
  await nvlm.dispose()
}
