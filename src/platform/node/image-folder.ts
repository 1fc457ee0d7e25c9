import { constants } from 'node:fs'
import { type FileHandle, open, realpath, stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NVLMError } from '../../core/errors.js'

/**
 * A function that reads pictures which strangers name, from below one folder only.
 *
 * Links are followed first and must stay inside; what is no regular file is not opened for long. Whatever is wrong, the
 * message is the same: it tells nothing about files outside.
 *
 * @param maxBytes - largest picture
 * @throws {NVLMError} INVALID_OPTION if there is no such folder; the function: IMAGE_INPUT or IMAGE_TOO_LARGE
 */
export async function createImageFolder(
  folder: string,
  maxBytes: number = 20 * 1024 * 1024,
): Promise<(url: URL) => Promise<Uint8Array>> {
  const root = await realpath(resolve(folder)).catch(() => undefined)
  if (root === undefined || !(await stat(root)).isDirectory()) {
    throw new NVLMError('INVALID_OPTION', `${folder}: is no folder`)
  }
  return async url => {
    try {
      return await readInside(root, fileURLToPath(url), maxBytes)
    } catch (error) {
      if (NVLMError.isInstance(error)) throw error
      throw unreadable(error)
    }
  }
}

async function readInside(root: string, path: string, maxBytes: number): Promise<Uint8Array> {
  const real = await realpath(path)
  const inside = relative(root, real)
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) throw unreadable()
  // no link in the last place, and no waiting for the writer of a named pipe; both are 0 on Windows
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const handle = await open(real, flags)
  try {
    return await readHandle(handle, maxBytes)
  } finally {
    await handle.close()
  }
}

async function readHandle(handle: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const info = await handle.stat()
  // a second name of a file may lie outside
  if (!info.isFile() || info.nlink > 1) throw unreadable()
  if (info.size > maxBytes) {
    throw new NVLMError('IMAGE_TOO_LARGE', `the image has more than ${maxBytes} bytes`)
  }
  const bytes = new Uint8Array(info.size)
  const { bytesRead } = await handle.read(bytes, 0, info.size, 0)
  return bytes.subarray(0, bytesRead)
}

function unreadable(cause?: unknown): NVLMError {
  return new NVLMError('IMAGE_INPUT', 'there is no image of this name in the folder of this server', {
    cause,
  })
}
