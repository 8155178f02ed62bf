import { defineCommand } from 'citty'
import { parseDatabaseUrl } from '../config-addresses.ts'
import type { Config, StoreConfig } from '../config.ts'
import { migrateStore, nameOf, openTransfer, readSchema } from '../storage.ts'
import {
  type Progress,
  refuseHalfMoved,
  transfer,
  TransferError,
  type TransferStore,
} from '../stores/transfer.ts'
import { messageOf, settingsOrExit, storeProblem } from './run.ts'

/** A line at least so often, and at least every so many rows. */
const LINE_MS = 1_000
const LINE_ROWS = 10_000

export const move = defineCommand({
  meta: {
    description:
      'Move everything from one database into another: verifications, budgets, limits, sends, messages, claims and keys. Stop the servers on both first. What was cut off goes on when the same command is given again; the source is left as it is.',
  },
  args: {
    from: {
      type: 'string',
      required: true,
      valueHint: 'URL',
      description: 'The database to move from, as in DATABASE_URL',
    },
    to: {
      type: 'string',
      valueHint: 'URL',
      description:
        'The empty database to move into; without it DATABASE_URL, which keeps a password out of `ps`',
    },
  },
  async run({ args }) {
    const settings = settingsOrExit({ quiet: true })
    try {
      const from = at(settings, read('--from', args.from, settings))
      const to = at(settings, args.to === undefined ? settings.store : read('--to', args.to, settings))
      if (nameOf(from.store) === nameOf(to.store))
        throw new Error(`--from and --to are both ${nameOf(to.store)}`)
      await moveAll(from, to)
    } catch (error) {
      console.error(messageOf(error))
      process.exitCode = 1
    }
  },
})

/** The settings with another database in them. */
function at(settings: Config, store: StoreConfig): Config {
  return { ...settings, store }
}

function read(option: string, text: string, { store }: Config): StoreConfig {
  const reading = parseDatabaseUrl(text)
  if (!reading.ok) throw new Error(`${option} ${reading.problem}`)
  const { value } = reading
  if (value.kind === 'sqlite') return { ...value, synchronous: 'full' }
  if (value.kind === 'mongodb') return { kind: 'mongodb', url: value.url, name: value.name }
  // A proxy that the settings tell of may well stand before this database too.
  const prepare = store.kind === 'postgres' && store.prepare
  return { kind: 'postgres', url: value.url, name: value.name, poolSize: 1, prepare }
}

async function moveAll(from: Config, to: Config): Promise<void> {
  const began = performance.now()
  const source = await open(from, { isTarget: false })
  try {
    const target = await open(to, { isTarget: true })
    try {
      console.log(`${nameOf(from.store)} → ${nameOf(to.store)}`)
      const tell = progressLines()
      const { rows, compared, ownerless } = await transfer(source, target, { from: nameOf(from.store), tell })
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      if (ownerless > 0) console.log(`${ownerless} sends of what the retention has deleted stay behind`)
      console.log(`done: ${rows} rows in ${seconds} s; every count agrees, ${compared} rows were compared`)
    } catch (error) {
      throw told(error, to)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** Brings the schema to this version's, and opens the rows. */
async function open(config: Config, { isTarget }: { isTarget: boolean }): Promise<TransferStore> {
  try {
    const { store } = config
    if (!isTarget && (await readSchema(store)).current === 0)
      throw new TransferError(`there is no database of Countersign in it`)
    await migrateStore(store)
    const rows = await openTransfer(config)
    if (isTarget) return rows
    try {
      refuseHalfMoved(await rows.movingFrom())
      return rows
    } catch (error) {
      await rows.close()
      throw error
    }
  } catch (error) {
    throw told(error, config)
  }
}

function told(error: unknown, config: Config): Error {
  if (error instanceof TransferError) return new Error(`${nameOf(config.store)}: ${error.message}`)
  return new Error(storeProblem(error, config) ?? messageOf(error))
}

/** Prints how far a table is: now and then, and when it is done. */
function progressLines(): (progress: Progress) => void {
  let [table, lineMs, lineRows, beganMs] = ['', 0, 0, 0]
  return (progress) => {
    const now = performance.now()
    if (progress.table !== table) {
      ;[table, lineMs, lineRows, beganMs] = [progress.table, now, 0, now]
    }
    const { done, total } = progress
    if (done < total && now - lineMs < LINE_MS && done - lineRows < LINE_ROWS) return
    ;[lineMs, lineRows] = [now, done]
    const perSecond = Math.round((done * 1000) / Math.max(1, now - beganMs))
    console.log(`${table}: ${done} of ${total} rows, ${perSecond} a second`)
  }
}
