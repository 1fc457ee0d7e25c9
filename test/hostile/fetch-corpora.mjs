// Fetches sources of Debian 12 whose tests hold pictures, checks and unpacks them below node_modules/.cache.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../../node_modules/.cache/nvlm-corpora/', import.meta.url))

/** The archive of today, and the one that keeps everything, for when Debian has moved on. */
const MIRRORS = [
  'http://deb.debian.org/debian',
  'https://snapshot.debian.org/archive/debian/20250520T000000Z',
]

/** As `apt-get source` names them in bookworm; hashes of the signed .dsc files. */
const SOURCES = /** @type {const} */ ([
  ['g/giflib/giflib_5.2.1.orig.tar.gz', '31da5562f44c5f15d63340a09a4fd62b48c45620cd302f77a6d9acf0077879bd'],
  ['libj/libjpeg-turbo/libjpeg-turbo_2.1.5.orig.tar.gz', '254f3642b04e309fee775123133c6464181addc150499561020312ec61c1bf7c'],
  ['libp/libpng1.6/libpng1.6_1.6.39.orig.tar.gz', 'a00e9d2f2f664186e4202db9299397f851aea71b36a35e74910b8820e380d441'],
  ['libw/libwebp/libwebp_1.2.4.orig.tar.gz', '7bf5a8a28cc69bcfa8cb214f2c3095703c6b73ac5fba4d5480c205331d9494df'],
  ['p/pillow/pillow_9.4.0.orig.tar.xz', '0a58ccfbd002838b32e21773bfdaa954a2de08d1f04b87b63d14e751fec3264d'],
  ['v/vips/vips_8.14.1.orig.tar.gz', 'a4a6b282216f7522b42ebb5cd64cfd82a0d1a632033e9c0502f021e945fed641'],
])

for (const [path, sha256] of SOURCES) {
  const archive = basename(path)
  const target = `${folder}${archive.split('_')[0]}`
  if (existsSync(target)) continue
  const bytes = await fetchFirst(path, sha256)
  const unpacking = `${target}.new`
  rmSync(unpacking, { recursive: true, force: true })
  mkdirSync(unpacking, { recursive: true })
  writeFileSync(`${folder}${archive}`, bytes)
  execFileSync('tar', ['xf', `${folder}${archive}`, '-C', unpacking, '--strip-components=1'])
  rmSync(`${folder}${archive}`)
  renameSync(unpacking, target)
  process.stdout.write(`${archive}: ${bytes.length} bytes\n`)
}

/**
 * @param {string} path
 * @param {string} sha256
 * @returns {Promise<Buffer>}
 */
async function fetchFirst(path, sha256) {
  const problems = []
  for (const mirror of MIRRORS) {
    try {
      const response = await fetch(`${mirror}/pool/main/${path}`)
      if (!response.ok) throw new Error(`answered ${response.status}`)
      const bytes = Buffer.from(await response.arrayBuffer())
      const found = createHash('sha256').update(bytes).digest('hex')
      if (found !== sha256) throw new Error(`SHA-256 is ${found}`)
      return bytes
    } catch (error) {
      problems.push(`${mirror}: ${error}`)
    }
  }
  throw new Error(`${path} cannot be fetched:\n${problems.join('\n')}`)
}
