import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isProcessAlive } from './process-alive.js'

/** Name of the journal in a draft; it is gone before the folder gets its name. */
const JOURNAL = '.journal'

/** Drafts that this process is writing now. */
const active = new Set<string>()

let numDrafts = 0

/** A hidden folder beside the target in which its files are written. */
export class FolderDraft {
  private constructor(
    readonly path: string,
    private readonly target: string,
  ) {}

  /** Make an empty draft. Its name tells which process works on it. */
  static async create(target: string): Promise<FolderDraft> {
    const id = `${process.pid}-${Date.now().toString(36)}-${numDrafts++}`
    const path = join(dirname(target), `${draftPrefix(target)}${id}`)
    await mkdir(path)
    active.add(path)
    return new FolderDraft(path, target)
  }

  /**
   * Take over what a run that is gone has left of the same work, and remove what others that are gone have left. Must
   * come before the first file is written.
   *
   * @param key - says what the work is; steps finished for another key are not taken
   * @returns the steps that are finished
   */
  async resume(key: string): Promise<ReadonlySet<number>> {
    let finished: ReadonlySet<number> | undefined
    for (const remains of await findRemains(this.target)) {
      if (finished === undefined && (await readJournal(remains, key)) !== undefined) {
        // a rename decides which of several runs gets it
        await rm(this.path, { recursive: true, force: true })
        const isMine = await rename(remains, this.path).then(
          () => true,
          () => false,
        )
        if (isMine) finished = await readJournal(this.path, key)
        else await mkdir(this.path, { recursive: true })
      } else await rm(remains, { recursive: true, force: true })
    }
    if (finished === undefined) await this.append(`${key}\n`)
    return finished ?? new Set()
  }

  /** Note steps as finished. Their bytes must be on the disk. */
  async record(steps: readonly number[]): Promise<void> {
    await this.append(steps.map(step => `${step}\n`).join(''))
  }

  /** Has the draft what a later run can use? */
  async isWorthKeeping(): Promise<boolean> {
    const text = await readFile(join(this.path, JOURNAL), 'utf8').catch(() => '')
    return text.split('\n').length > 2
  }

  /** Give the folder its name. */
  async publish(): Promise<void> {
    await rm(join(this.path, JOURNAL), { force: true })
    await syncFolder(this.path)
    await rename(this.path, this.target)
    await syncFolder(dirname(this.target))
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }

  /** This process does not work on it any more. */
  release(): void {
    active.delete(this.path)
  }

  private async append(text: string): Promise<void> {
    const handle = await open(join(this.path, JOURNAL), 'a')
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

/** The steps in a journal; undefined if it is of other work, or missing. */
async function readJournal(draft: string, key: string): Promise<ReadonlySet<number> | undefined> {
  const text = await readFile(join(draft, JOURNAL), 'utf8').catch(() => undefined)
  // what follows the last line end was being written when the process was killed
  const [found, ...lines] = text?.split('\n').slice(0, -1) ?? []
  if (found !== key) return undefined
  return new Set(lines.filter(line => /^\d+$/.test(line)).map(Number))
}

/** Drafts of a target whose process is gone. */
async function findRemains(target: string): Promise<readonly string[]> {
  const prefix = draftPrefix(target)
  const parent = dirname(target)
  const drafts = (await readdir(parent)).filter(entry => entry.startsWith(prefix))
  return drafts.flatMap(entry => {
    const pid = Number.parseInt(entry.slice(prefix.length), 10)
    const path = join(parent, entry)
    const isWorkedOn = pid === process.pid ? active.has(path) : isProcessAlive(pid)
    return isWorkedOn ? [] : [path]
  })
}

function draftPrefix(target: string): string {
  return `.${basename(target)}.draft-`
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders, and keeps their entries by itself
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
