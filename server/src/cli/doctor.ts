import { availableParallelism } from 'node:os'
import { defineCommand } from 'citty'
import { type Config, statusUrlsOf } from '../config.ts'
import { probeProviders } from '../make-providers.ts'
import { checkStorage, type Line } from './doctor-storage.ts'
import { settingsOrExit } from './run.ts'

export const doctor = defineCommand({
  meta: {
    description:
      'Check the settings, the database, the limiter, the clocks and the credentials of the provider. Sends nothing. Exit code 1 when a line says FAIL.',
  },
  async run() {
    const config = settingsOrExit({ quiet: true })
    const workers = config.workers === 'auto' ? availableParallelism() : config.workers
    const print = ({ level, about, detail }: Line) => {
      console.log(`${level.padEnd(5)} ${about}: ${detail}`)
      if (level === 'FAIL') process.exitCode = 1
    }
    checkSettings(config, workers).forEach(print)
    for await (const line of checkStorage(config, workers)) print(line)
    for (const { name, ok, detail } of await probeProviders(config))
      print({ level: ok ? 'ok' : 'FAIL', about: `provider ${name}`, detail })
  },
})

function checkSettings(config: Config, workers: number): Line[] {
  const processes = workers === 1 ? '' : `, ${workers} workers`
  const about = 'settings'
  return [
    {
      level: 'ok',
      about,
      detail: `${config.env}, providers ${config.messaging.providers.join(', ')}${processes}`,
    },
    ...config.warnings.map((detail) => ({ level: 'note' as const, about, detail })),
    ...checkPublicUrl(config),
    ...checkTables(config),
    ...checkReceipts(config),
  ]
}

/** In production a warning tells that there is none, and what is not https is refused. */
function checkPublicUrl({ env, http }: Config): Line[] {
  const about = 'public URL'
  if (http.publicUrlGiven) return [{ level: 'ok', about, detail: http.publicUrl }]
  if (env === 'production') return []
  const detail = `${http.publicUrl}, which others cannot reach; for real users set PUBLIC_URL to an https:// address`
  return [{ level: 'note', about, detail }]
}

/** The operator's files; that they can be read the settings have shown already. */
function checkTables({ messaging }: Config): Line[] {
  const { routes, prices } = messaging.tables
  const counts = Object.entries({ routes, prices }).filter(([, count]) => count !== undefined)
  if (counts.length === 0) return []
  const detail = counts.map(([name, count]) => `${name}: ${count}`).join(', ')
  return [{ level: 'ok', about: 'tables', detail }]
}

/** Where providers were told to call; that they can reach it only they could say. */
function checkReceipts(config: Config): Line[] {
  return [...statusUrlsOf(config)].map(([name, url]) => ({
    level: 'ok',
    about: 'receipts',
    detail: `${name} is asked to tell ${url}`,
  }))
}
