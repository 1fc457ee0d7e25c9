import { describe, expect, test } from 'vitest'
import { isHubName, modelIdOfPath, nameOfRepoFolder, repoFolderName } from '../../src/hub/hub-name.js'

describe('a name on the hub', () => {
  test.each(['OpenGVLab/InternVL3-1B', 'nvidia/NVLM-D-72B', 'a/b', 'me_2/x.y_z-1'])('is %s', name => {
    expect(isHubName(name)).toBe(true)
    expect(nameOfRepoFolder(repoFolderName(name as never))).toBe(name)
  })

  const paths = ['model', './a/b', '../a/b', '/a/b', 'a/b/c', 'a\\b', 'C:/b', '~/b', 'a/', '/b', 'a/b/', '']
  const odd = [
    'a/..',
    '.a/b',
    'a/b.',
    '-a/b',
    'a/b c',
    'a/b\n',
    'a/b.git',
    'a--b/c',
    'a/é',
    `a/${'b'.repeat(100)}`,
    'con/b',
    'a/nul',
  ]
  test.each([...paths, ...odd])('is not %j', text => {
    expect(isHubName(text)).toBe(false)
  })
})

test.each([
  [
    '/cache/models--OpenGVLab--InternVL3-1B/snapshots/0123456789012345678901234567890123456789',
    'OpenGVLab/InternVL3-1B',
  ],
  ['C:\\hub\\models--a--b\\snapshots\\0123456789012345678901234567890123456789\\', 'a/b'],
  ['/models/InternVL3-1B', 'InternVL3-1B'],
  ['/models--a--b/snapshots/main', 'main'],
  [
    '/datasets--a--b/snapshots/0123456789012345678901234567890123456789',
    '0123456789012345678901234567890123456789',
  ],
])('the model in %s is called %s', (path, id) => {
  expect(modelIdOfPath(path)).toBe(id)
})
