import { readCountedSet } from './constraint/counted-set.js'
import {
  choiceNode,
  type GrammarNode,
  literalNode,
  sequenceNode,
  terminalNode,
} from './constraint/grammar.js'
import { parseRegex } from './constraint/parse-regex.js'
import { regexAutomaton } from './constraint/text-automaton.js'
import { TextTerminal } from './constraint/text-terminal.js'
import type { JSONSchema } from './json-schema/json-schema.js'
import { type SchemaGrammarOptions, schemaGrammar } from './json-schema/schema-grammar.js'

/** A JSON Schema, and how it is read. */
export interface SchemaFormat extends SchemaGrammarOptions {
  readonly schema: JSONSchema
}

/** What an answer must look like; plain data that can be sent to another thread. */
export type AnswerFormat =
  /** JSON that fits a schema. */
  | ({ readonly type: 'schema' } & SchemaFormat)
  /** Text that a regular expression matches as a whole. */
  | { readonly type: 'regex'; readonly source: string; readonly flags: string }
  /** One of these texts. */
  | { readonly type: 'choices'; readonly choices: readonly string[] }
  /** A call of one of these tools, and nothing else. */
  | { readonly type: 'tool-call'; readonly tools: readonly ({ readonly name: string } & SchemaFormat)[] }

/**
 * The grammar of a format.
 *
 * @throws {NVLMError} SCHEMA_UNSUPPORTED, INVALID_OPTION
 */
export function formatGrammar(format: AnswerFormat): GrammarNode {
  switch (format.type) {
    case 'schema':
      return schemaGrammar(format.schema, format)
    case 'regex': {
      const regex = parseRegex(format.source, format.flags)
      const { anyNumber = regex, ...limits } = readCountedSet(regex, true, false) ?? {}
      const automaton = regexAutomaton(anyNumber, true)
      return terminalNode(new TextTerminal({ automaton, ...limits, spelling: 'plain' }))
    }
    case 'choices':
      return literalNode(...format.choices)
    case 'tool-call':
      return choiceNode(
        format.tools.map(({ name, schema, ...options }) =>
          sequenceNode(
            literalNode(`<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `),
            schemaGrammar(schema, options),
            literalNode('}\n</tool_call>'),
          ),
        ),
      )
  }
}
