import type { Countersign } from '../main.ts'
import { type Config, ConfigError, loadEnvironment, readConfig } from '../config.ts'
import { CountersignError } from '../primitives/errors.ts'
import { StorageError } from '../storage-errors.ts'
import { TransferError } from '../stores/transfer.ts'

/** Reads the settings of this folder, or says what is wrong with them and ends the process. */
export function settingsOrExit(
  options: { dev?: boolean; quiet?: boolean; workers?: string | undefined } = {},
): Config {
  try {
    const env = { ...loadEnvironment(process.cwd()) }
    if (options.dev && env['NODE_ENV'] !== 'production') env['DEV_MODE'] ??= 'true'
    if (options.workers !== undefined) env['WORKERS'] = options.workers
    // A command's own output must not mix with log lines.
    if (options.quiet) env['LOG_LEVEL'] = 'silent'
    return readConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(error.message)
    console.error('\nEvery setting: docs/configuration.md')
    process.exit(1)
  }
}

/** Runs a command on a Countersign without a port, and closes it. An error becomes one line and exit code 1. */
export async function withCountersign(work: (countersign: Countersign) => Promise<void>): Promise<void> {
  const config = settingsOrExit({ quiet: true })
  try {
    // Loaded when it is needed: help, and settings that are wrong, are told without it.
    const { compose } = await import('../main.ts')
    const countersign = await compose(config)
    try {
      await work(countersign)
    } finally {
      await countersign.close()
    }
  } catch (error) {
    console.error(storeProblem(error, config) ?? messageOf(error))
    process.exitCode = 1
  }
}

/**
 * Why the store or the limiter of these settings cannot be used, with its file or its host, which the error itself may
 * not name; undefined for any other error.
 */
export function storeProblem(error: unknown, { store }: Config): string | undefined {
  if (error instanceof StorageError) return error.message
  const isSqlite = error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR'
  const isOfFile = isSqlite || error instanceof TransferError
  return isOfFile && store.kind === 'sqlite' ? `the database ${store.path}: ${error.message}` : undefined
}

/** What a person is told about an error. */
export function messageOf(error: unknown): string {
  if (error instanceof CountersignError) {
    const wait = error.help.retryAfterSeconds
    return `${error.code}: ${error.detail}${wait === undefined ? '' : ` (try again in ${wait} s)`}`
  }
  return error instanceof Error ? error.message : String(error)
}
