import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { inspectTimeout } from '../storage.ts'

/**
 * Warns in the log where the database never gives up, or too late, what takes too long. Resolves whatever happens: no
 * start waits for it, and none fails by it.
 */
export async function warnOfTimeout({ store }: Config, log: Logger): Promise<void> {
  const finding = await inspectTimeout(store).catch(() => undefined)
  if (finding?.level === 'note') log.warn(finding.detail)
}
