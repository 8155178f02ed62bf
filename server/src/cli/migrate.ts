import { defineCommand } from 'citty'
import { migrateStore, readSchema } from '../storage.ts'
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
      const { current, known } = await readSchema(config.store)
      if (args.status) {
        console.log(`schema ${current}, this version knows ${known}`)
        process.exitCode = current === known ? 0 : 1
        return
      }
      await migrateStore(config.store)
      console.log(current === known ? `schema ${known}: nothing to do` : `schema ${current} → ${known}`)
    } catch (error) {
      console.error(storeProblem(error, config) ?? messageOf(error))
      process.exitCode = 1
    }
  },
})
