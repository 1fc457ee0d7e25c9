import { describe, expect, test } from 'vitest'
import { describeLicense, parseLicense } from '../../src/hub/model-card.js'

function card(head: string): string {
  return `---\n${head}\n---\n# Model\nlicense: fake\n`
}

describe('the licence of a model card', () => {
  test.each([
    ['license: mit', 'mit', false],
    ['tags:\n- x\nlicense: apache-2.0\nlanguage: en', 'apache-2.0', false],
    ['license: "cc-by-nc-4.0"  # see below', 'cc-by-nc-4.0', true],
    ['license:\n- cc-by-nc-sa-4.0', 'cc-by-nc-sa-4.0', true],
    ["license: [ 'cc-by-nc-nd-3.0', mit ]", 'cc-by-nc-nd-3.0', true],
    ['license: fair-noncommercial-research-license', 'fair-noncommercial-research-license', true],
    ['license: other\nlicense_name: nvidia-non-commercial-license', 'other', true],
    ['license: other\nlicense_name: qwen', 'other', false],
    ['license: ncsa', 'ncsa', false],
    ['license: incense', 'incense', false],
  ])('%j is read', (head, id, isNonCommercial) => {
    expect(parseLicense(card(head))).toMatchObject({ id, isNonCommercial })
    expect(parseLicense(card(head).replaceAll('\n', '\r\n'))).toMatchObject({ id, isNonCommercial })
  })

  test.each([
    ['# Model\nlicense: mit\n'],
    [card('tags: x')],
    [card('nested:\n  license: mit')],
    ['---\nlicense: mit\n'],
    ['text\n---\nlicense: mit\n---\n'],
    [card('license:')],
    [''],
  ])('there is none in %j', text => {
    expect(parseLicense(text)).toBeUndefined()
  })

  test('comes with its name and link, in one line', () => {
    const license = parseLicense(card('license: other\nlicense_name: qwen\nlicense_link: https://x/LICENSE'))!
    expect(describeLicense(license)).toBe('other (qwen) https://x/LICENSE')
  })

  test('is found fast in a card made to be slow', () => {
    const start = performance.now()
    parseLicense(`---\n${'license:'.repeat(100_000)}\n${' \n'.repeat(100_000)}`)
    parseLicense(card(`license: ${' '.repeat(200_000)}x`))
    expect(performance.now() - start).toBeLessThan(500)
  })
})
