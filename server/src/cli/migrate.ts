import { existsSync } from 'node:fs'
import { defineCommand } from 'citty'
import { openSqlite, sqliteSchema } from '../stores/sqlite/store.ts'
import { systemClock } from '../primitives/clock.ts'
import { messageOf, settingsOrExit, storeProblem } from './run.ts'

export const migrate = defineCommand({
  meta: {
    description:
      'Bring the database to the schema of this version; `serve` does so by itself. A database of a newer version is refused and left as it is.',
  },
  args: {
    status: {
      type: 'boolean',
      description: 'Change nothing; exit code 0 when the schema is that of this version, 1 otherwise',
    },
  },
  async run({ args }) {
    const config = settingsOrExit({ quiet: true })
    try {
      // Looking must not make the file.
      const { current, known } = sqliteSchema(existsSync(config.store.path) ? config.store.path : ':memory:')
      if (args.status) {
        console.log(`schema ${current}, this version knows ${known}`)
        process.exitCode = current === known ? 0 : 1
        return
      }
      const store = openSqlite({ ...config.store, retentionDays: config.retention.days, clock: systemClock })
      await store.close()
      console.log(current === known ? `schema ${known}: nothing to do` : `schema ${current} → ${known}`)
    } catch (error) {
      console.error(storeProblem(error, config) ?? messageOf(error))
      process.exitCode = 1
    }
  },
})
