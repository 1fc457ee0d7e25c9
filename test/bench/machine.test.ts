import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describeEnd } from './describe-end.js'
import { versionOf } from './machine.js'

test('tells the versions of what is installed, and what is not', () => {
  const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(versionOf('nvlm-ts')).toBe(version)
  expect(versionOf('sharp')).toBe(dependencies.sharp)
  expect(versionOf('no-package-has-this-name')).toBe('not installed')
})

test.each([
  ['process.exit(3)', 'code 3'],
  ["process.kill(process.pid, 'SIGKILL')", 'signal SIGKILL'],
])('tells how a process ended: %s', async (script, end) => {
  const child = spawn(process.execPath, ['-e', script])
  const described = await new Promise(resolve => {
    child.once('exit', (code, signal) => resolve(describeEnd(code, signal)))
  })
  expect(described).toBe(end)
})
