// @ts-nocheck
// Writes suite.json: the cases of JSON-Schema-Test-Suite (draft 2020-12) for the keywords that structured output knows.
// Source: github.com/json-schema-org/JSON-Schema-Test-Suite 44401e0c046704b476ec9d2e2fccdaee618f259d (MIT, (c) 2012 Julian Berman).
// Left out whole: files of keywords that are not supported, optional files but those of supported formats.
// Run: node make-suite.mjs <folder of the suite>
import { readFileSync, writeFileSync } from 'node:fs'

const keywords =
  'additionalProperties allOf anchor anyOf boolean_schema const content default defs enum exclusiveMaximum exclusiveMinimum infinite-loop-detection items maxItems maxLength maximum minItems minLength minimum multipleOf not oneOf pattern prefixItems properties propertyNames ref required type uniqueItems'
const formats = 'date date-time duration email hostname ipv4 ipv6 time uri uuid'
const names = [...keywords.split(' '), ...formats.split(' ').map(name => `optional/format/${name}`)]
const cases = names.flatMap(name =>
  JSON.parse(readFileSync(`${process.argv[2]}/tests/draft2020-12/${name}.json`, 'utf8')).map(({ description, schema, tests }) => ({
    file: name,
    description,
    schema,
    tests: tests.map(({ description, data, valid }) => ({ description, data, valid })),
  })),
)
writeFileSync(
  new URL('./suite.json', import.meta.url),
  `[\n${cases.map(group => JSON.stringify(group)).join(',\n')}\n]\n`,
)
