import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeHub } from './support/fake-hub.js'
import { type Finished, projectFolder, runNode } from './support/run-node.js'

/** What the examples of other libraries print: a text, a stream, an object, a tool. */
const FOUR_WAYS =
  /^text: {3}COFFEE \$3\.50 \(\d+ tokens\)\nstream:( \S+)+.*\nobject: \{"item":"(COFFEE|TEA|CAKE)","price":[\d.]+.*\}\ntool: {3}\{"item":"\w+","left":\d+\}\n$/

/** Each example, and what it prints with the tiny model. */
const EXAMPLES: Readonly<Record<string, RegExp>> = {
  'describe-image.mjs': /^COFFEE \$3\.50\n\(27 tokens of the picture, \d+ of the answer, \d+ a second\)\n$/,
  'chat.mjs':
    /^> Describe the picture\.\nA red circle, a blue square and a yellow star\.\n> How many shapes are there\?\n3\n$/,
  'layers.mjs':
    /^tiles: +2 x 1 and a thumbnail\nfeatures: \[3, 36, \d+\]\nembeds: +\[27, \d+\]\nprompt: +\d+ tokens\nanswer: +COFFEE \$3\.50\n$/,
  'abort.mjs': /^signal: enough after 3 tokens: A.*…\nbreak: A red circle.*…\n$/,
  'parts.mjs':
    /^image: 3 tiles, 27 tokens\nprefill: (\d+) of \1\n(text: .*\n)+finish: stop\ntext\/event-stream; charset=utf-8, last event data: \[DONE\]\n$/,
  'filters.mjs':
    /^FILTERED: filter "polite-only": please ask nicely\n.*\[price\].*\n\S+ \(content-filter\)\n$/,
  'diagnostics.mjs':
    /^loaded nvlm-tiny\nasked for docs with 1 image\nended by stop: \d+ tokens in, \d+ out\n$/,
  'prompt-lookup.mjs': /^.+\nthe same without: true\n\d+ tokens, \d+ guessed, [1-9]\d* of them right\n$/,
  'quantize.mjs': /^(\w+ +[\d.]+ MB\n){5}whole: true\nq8: \S.+\n$/,
  'own-backend.mjs':
    /^COFFEE \$3\.50\nvision: 3 runs, [\d.]+ ms\nprojector: 1 runs, [\d.]+ ms\ndecoder: \d+ runs, [\d.]+ ms\n$/,
  'chat-session.mjs':
    /^.+\n\(\d+ tokens, all of them read\)\n.+\n\(\d+ tokens, [1-9]\d+ of them known\)\n.+\nsaved 2 messages\n$/,
  'prepared-image.mjs':
    /^3 tiles, 27 tokens\n(> .+\n.+ \(0 ms in the vision encoder\)\n){2}cosine with itself: 1\.000\n$/,
  'sampling.mjs':
    /^the same with its seed: true\nfirst token, likeliest: ".*" [01]\.\d\d, ".*" 0\.\d\d\nup to a comma \(stop\): A [^,]+\n$/,
  'messages.mjs':
    /^high: 27 tokens of the picture, as counted: true\nCOFFEE \$3\.50\nlow: 9 tokens of the picture, as counted: true\ntwo frames: 18 tokens\n$/,
  'structured-output.mjs':
    /^choice: {2}The star is (red|green|blue|yellow)\.\npattern: [A-Z]+ \$\d+\.\d\d\nschema: {2}\{"item":".+","price":[\d.]+.*\}, valid: true, seen as it grew: true\n$/,
  'tools.mjs':
    /^call: {3}inStock \{"item":"(COFFEE|TEA|CAKE)"\}\nresult: \{"item":"\1","left":\d+\}\nended: {2}tool-calls\nasked: {2}order, number of cups\nknown: {2}true\n$/,
  'ai-sdk.mjs': FOUR_WAYS,
  'langchain.mjs': FOUR_WAYS,
  'fusion.mjs':
    /^self-attention: COFFEE \$3\.50\n {2}65 tokens to read, 27 of them the picture's\ncross-attention: COFFEE \$3\.50\n {2}39 tokens to read, 0 of them the picture's\nhybrid: COFFEE \$3\.50\n {2}40 tokens to read, 9 of them the picture's\n$/,
  'grounding.mjs': /^I see a dog\.\na dog: 576 x 549 pixels at \(192, 270\)\n$/,
}

describe('the examples', () => {
  test('are all tried here', () => {
    const files = readdirSync(`${projectFolder}/examples`).filter(name => name.endsWith('.mjs'))
    expect(files).toEqual([...Object.keys(EXAMPLES), 'download.mjs'].sort())
  })

  test.each(Object.entries(EXAMPLES))('%s runs', async (file, printed) => {
    const { code, out, err } = await runNode([`examples/${file}`])
    expect(err).toBe('')
    expect(out).toMatch(printed)
    expect(code).toBe(0)
  })
})

describe('the example of a download', () => {
  let hub: FakeHub
  const cacheDir = mkdtempSync(join(tmpdir(), 'nvlm-example-'))
  beforeAll(async () => {
    hub = await FakeHub.start()
    const model = `${projectFolder}/examples/models/nvlm-tiny`
    hub.addFolder('me/tiny', model, { 'README.md': '---\nlicense: cc-by-nc-4.0\n---\n' })
  })
  afterAll(async () => {
    await hub.close()
    rmSync(cacheDir, { recursive: true })
  })

  test('runs against a hub', async () => {
    const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cacheDir }
    const { code, out, err } = await runNode(['examples/download.mjs', 'me/tiny'], { env })
    expect(err).toBe('')
    expect(out).toMatch(
      /^nvlm-d, licence: cc-by-nc-4\.0\n[\d.]+ MB to have, 0\.0 MB are in the cache\n(\w+ +about [\d.]+ MB of memory\n)+me\/tiny is licensed cc-by-nc-4\.0: not for commercial use\nme\/tiny: \S.*\ncached: me\/tiny, [\d.]+ MB\n$/,
    )
    expect(code).toBe(0)
  })
})

describe('the README', () => {
  const readme = readFileSync(`${projectFolder}/README.md`, 'utf8')
  const snippets = [...readme.matchAll(/^```js\n(import .*?)^```$/gms)].map(match => match[1]!)
  let folder: string

  // inside the package, where it can import itself by name
  beforeAll(() => {
    folder = mkdtempSync(`${projectFolder}/dist/readme-`)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  function runSnippet(code: string): Promise<Finished> {
    writeFileSync(`${folder}/snippet.mjs`, code)
    return runNode([`${folder}/snippet.mjs`])
  }

  test('opens with code that runs as it stands', async () => {
    const { out, err, code } = await runSnippet(snippets[0]!)
    expect(err).toBe('')
    expect(out).toMatch(/^COFFEE \$3\.50\n\d+ tokens, \d+ a second\n$/)
    expect(code).toBe(0)
  })

  test('shows the layers with code that runs as it stands', async () => {
    const layers = snippets.find(code => code.includes('await loadStages('))
    expect(layers).toBeDefined()
    const dims = 'console.log(JSON.stringify([features.dims, imageEmbeds.dims, logits.dims]))'
    const { out, err } = await runSnippet(`${layers}\n${dims}`)
    expect(err).toBe('')
    const [features, imageEmbeds, logits] = JSON.parse(out)
    expect(features.slice(0, 2)).toEqual([3, 36])
    expect(imageEmbeds[0]).toBe(27)
    expect(logits[0]).toBe(1)
  })

  test('links to files that exist', () => {
    const targets = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(match => match[1]!)
    expect(targets.length).toBeGreaterThan(5)
    expect(targets.filter(target => !existsSync(`${projectFolder}/${target}`))).toEqual([])
  })
})
