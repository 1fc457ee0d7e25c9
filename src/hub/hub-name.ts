import { NVLMError } from '../core/errors.js'
import { fileNameProblem, quoted } from '../formats/file-name.js'

/** A repository on the hub, such as `OpenGVLab/InternVL3-1B`. */
export type HubName = `${string}/${string}`

const MAX_NAME_LENGTH = 96
const PART = /^[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?$/

/** A commit of the hub: its revisions are git's. */
const COMMIT = /^[0-9a-f]{40}$/

/**
 * Is `text` a name on the hub? `owner/name` of letters, digits, `-`, `_` and `.`; everything else can only be a path,
 * such as `./owner/name`.
 *
 * @see huggingface_hub `src/huggingface_hub/utils/_validators.py`, `validate_repo_id`
 */
export function isHubName(text: string): text is HubName {
  const parts = text.split('/')
  if (parts.length !== 2 || text.length > MAX_NAME_LENGTH) return false
  if (text.includes('--') || text.includes('..') || /\.(?:git|ipynb)$/.test(text)) return false
  return parts.every(part => PART.test(part) && fileNameProblem(part) === undefined)
}

/** Name of a repository's folder in the cache, as Python's library has it. */
export function repoFolderName(name: HubName): string {
  return `models--${name.replace('/', '--')}`
}

/** Name of the repository that a folder of the cache belongs to; undefined if it is none of a model. */
export function nameOfRepoFolder(folder: string): HubName | undefined {
  const name = /^models--(.+?)--(.+)$/.exec(folder)?.slice(1).join('/')
  return name !== undefined && isHubName(name) ? name : undefined
}

/** Name of a model's folder: that of the repository for a snapshot in the hub's cache, else its own. */
export function modelIdOfPath(path: string): string {
  const parts = path.split(/[/\\]/).filter(part => part !== '')
  const [folder, snapshots, commit] = parts.slice(-3)
  const name = folder && snapshots === 'snapshots' && isCommit(commit!) ? nameOfRepoFolder(folder) : undefined
  return name ?? parts.at(-1) ?? path
}

/** Does a revision name one commit, for ever? */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision)
}

/**
 * Require a branch, tag or commit that can also be a path below `refs/`.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function requireRevision(revision: string): string {
  const problem = revision
    .split('/')
    .map(fileNameProblem)
    .find(found => found !== undefined)
  if (problem === undefined) return revision
  throw new NVLMError('INVALID_OPTION', `revision: ${quoted(revision)} ${problem}`, {
    hint: 'A revision is a branch, a tag or a commit of 40 hexadecimal digits.',
  })
}
