import { existsSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { NVLMError } from '../../core/errors.js'
import type { Conversation } from './conversation.js'

/**
 * Write a conversation to a file that is there whole or not at all. Nothing is written over but its own file.
 *
 * @throws {NVLMError} OUTPUT_EXISTS
 */
export async function saveConversation(conversation: Conversation, file: string): Promise<void> {
  const isOwn = conversation.file !== undefined && resolve(conversation.file) === resolve(file)
  if (!isOwn && existsSync(file)) {
    throw new NVLMError('OUTPUT_EXISTS', `${file}: exists already`, {
      hint: 'Take another name, or remove it.',
    })
  }
  const draft = `${file}.${process.pid}.part`
  try {
    await writeFile(draft, await conversation.save(), { flag: 'wx', mode: 0o600 })
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
  conversation.file = file
}
