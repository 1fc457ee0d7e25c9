import { NVLMError } from '../core/errors.js'
import type { AnswerFormat } from '../generation/answer-format.js'
import type { FinishReason } from '../nvlm/engine-client.js'

/** Throws SCHEMA_MISMATCH for an answer that is not of the format. */
export type AnswerCheck = (text: string, finishReason: FinishReason) => void

/**
 * The check of answers that a server was asked to hold to a format: it may have ignored that.
 *
 * @throws {NVLMError} SCHEMA_UNSUPPORTED, INVALID_OPTION for a format that can't be checked, as in this process
 */
export async function createAnswerCheck(format: AnswerFormat | undefined): Promise<AnswerCheck> {
  if (format === undefined) return () => {}
  const fits = await fitTest(format)
  return (text, finishReason) => {
    if (fits(text)) return
    const isCut = finishReason === 'length'
    throw new NVLMError(
      'SCHEMA_MISMATCH',
      isCut
        ? 'the answer was cut off before it was complete'
        : `the server did not hold the answer to the ${format.type}`,
      {
        hint: isCut
          ? 'Raise maxTokens, or bound the lists and strings of the schema (maxItems, maxLength).'
          : 'Check that the server supports structured outputs, and remote.dialect.',
        details: { text: text.slice(0, 1000), finishReason },
      },
    )
  }
}

async function fitTest(format: AnswerFormat): Promise<(text: string) => boolean> {
  // its arguments are checked by whoever runs the tool; here it must be there, and whole
  if (format.type === 'tool-call') return text => text.trimEnd().endsWith('</tool_call>')
  if (format.type === 'choices') return text => format.choices.includes(text)
  if (format.type === 'regex') {
    const whole = new RegExp(`^(?:${format.source})$`, format.flags)
    return text => whole.test(text)
  }
  // all of what knows schemas hangs on it
  const { createSchemaCheck } = await import('../generation/json-schema/schema-check.js')
  const { schema, closesObjects, matchesUnits } = format
  const check = createSchemaCheck(schema, { closesObjects, matchesUnits })
  return text => {
    try {
      return check(JSON.parse(text))
    } catch (error) {
      if (error instanceof SyntaxError) return false
      throw error
    }
  }
}
