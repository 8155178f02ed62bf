import { defineCommand } from 'citty'
import { compose } from '../main.ts'
import { messageOf, settingsOrExit, storeProblem } from './run.ts'

export const doctor = defineCommand({
  meta: {
    description:
      'Check the settings, the database and the credentials of the provider. Sends nothing. Exit code 1 when a line says FAIL.',
  },
  async run() {
    const config = settingsOrExit({ quiet: true })
    console.log(`ok    settings: ${config.env}, providers ${config.messaging.providers.join(', ')}`)
    for (const warning of config.warnings) console.log(`note  settings: ${warning}`)
    try {
      const countersign = await compose(config)
      console.log(`ok    store: ${config.store.kind} ${config.store.path} takes writes`)
      const keys = (await countersign.keys.list()).filter((key) => key.revokedAt === null)
      console.log(
        keys.length > 0
          ? `ok    keys: ${keys.length} live`
          : 'note  keys: none yet; make one: countersign keys create',
      )
      for (const { name, ok, detail } of await countersign.probe()) {
        console.log(`${ok ? 'ok   ' : 'FAIL '} provider ${name}: ${detail}`)
        if (!ok) process.exitCode = 1
      }
      await countersign.close()
    } catch (error) {
      console.log(`FAIL  ${storeProblem(error, config) ?? messageOf(error)}`)
      process.exitCode = 1
    }
  },
})
