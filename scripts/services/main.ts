// Starts the services of the tests and keeps them until Ctrl-C, so that test runs need not: `npx node scripts/services/main.ts`.
import { startServices } from './index.ts'

const started = await startServices()
for (const [name, reason] of Object.entries(started.missing)) console.error(`# ${name} is missing: ${reason}`)
for (const [name, url] of Object.entries(started.environment)) console.log(`export ${name}=${url}`)
console.error('# Paste these lines where you run the tests. Ctrl-C stops the services.')

// The watchdogs' pipes do not keep this process alive.
const alive = setInterval(() => undefined, 60_000)
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (isStopping) return
    isStopping = true
    clearInterval(alive)
    void started.stop().then(() => process.exit(0))
  })
