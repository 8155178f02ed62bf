import { defineCommand } from 'citty'
import { openSqlite, sqliteSchema } from '../stores/sqlite/store.ts'
import { systemClock } from '../primitives/clock.ts'
import { messageOf, settingsOrExit } from './run.ts'

export const migrate = defineCommand({
  meta: {
    name: 'migrate',
    description: 'Bring the database to the schema of this version. `serve` does it by itself.',
  },
  args: { status: { type: 'boolean', description: 'Only tell how far the schema is' } },
  async run({ args }) {
    const config = settingsOrExit({ quiet: true })
    try {
      const { current, known } = sqliteSchema(config.store.path)
      if (args.status) {
        console.log(`schema ${current}, this version knows ${known}`)
        process.exitCode = current === known ? 0 : 1
        return
      }
      const store = openSqlite({ ...config.store, retentionDays: config.retention.days, clock: systemClock })
      await store.close()
      console.log(current === known ? `schema ${known}: nothing to do` : `schema ${current} → ${known}`)
    } catch (error) {
      console.error(messageOf(error))
      process.exitCode = 1
    }
  },
})
