import { join } from 'node:path'
import { findChromium } from './chromium.ts'
import { buildForeign, findOathtool, findOpenssl } from './foreign.ts'
import { startMongodb } from './mongodb.ts'
import { findPip, startMoto } from './moto.ts'
import { installNextjs } from './nextjs.ts'
import { installPackages } from './packages.ts'
import { findPgbouncer } from './pgbouncer.ts'
import { findPostgres, startPostgres } from './postgres.ts'
import { installReact18 } from './react-18.ts'
import { findRedis, startRedis } from './redis.ts'
import { findSmsc } from './smsc.ts'
import { startToxiproxy } from './toxiproxy.ts'
import { buildTwilioGo, installTwilioJava, installTwilioPython } from './twilio-sdks.ts'

const GO_PROGRAM = join(import.meta.dirname, '../../server/test/sdk/go/main.go')

/** What a test can need. The first five are one server for the whole run; the rest a test starts for itself. */
export const SERVICES = [
  'postgres',
  'redis',
  'mongodb',
  'toxiproxy',
  'moto',
  'pgbouncer',
  'smsc',
  'python',
  'openssl',
  'oathtool',
  'chromium',
  'nextjs',
  'react-18',
  'twilio-python',
  'twilio-java',
  'twilio-go',
  'own postgres',
  'own redis',
] as const
export type Service = (typeof SERVICES)[number]

type Shared = 'postgres' | 'redis' | 'mongodb' | 'toxiproxy' | 'moto'

/** The environment variable that holds each shared server's address. One that is set already wins. */
export const VARIABLES: Readonly<Record<Shared, string>> = {
  postgres: 'POSTGRES_TEST_URL',
  redis: 'REDIS_TEST_URL',
  mongodb: 'MONGODB_TEST_URL',
  toxiproxy: 'TOXIPROXY_TEST_URL',
  moto: 'MOTO_TEST_URL',
}

/** Why each service that is not there is not. */
export type MissingServices = { readonly [Name in Service]?: string }

export type StartedServices = {
  /** Addresses by environment variable. */
  readonly environment: Readonly<Record<string, string>>
  readonly missing: MissingServices
  stop(): Promise<void>
}

type Server = { readonly url: string; remove(): Promise<void> }

/** Finds, installs, builds and starts whatever is not there yet, all at once. Never rejects: see `missing`. */
export async function startServices(): Promise<StartedServices> {
  const environment: Record<string, string> = {}
  const missing: { [Name in Service]?: string } = {}
  const servers: Server[] = []
  const attempt = async (name: Service, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      missing[name] = error instanceof Error ? error.message : String(error)
    }
  }
  const share = (name: Shared, start: () => Promise<Server>) =>
    attempt(name, async () => {
      const variable = VARIABLES[name]
      const given = process.env[variable]
      if (given !== undefined && given !== '') {
        environment[variable] = given
        return
      }
      const server = await start()
      servers.push(server)
      environment[variable] = server.url
    })

  const install = packages()
  const installed = async (found: () => unknown) => {
    if (found() === undefined) await install()
  }
  const after = async <T>(found: () => unknown, start: () => Promise<T>) => {
    await installed(found)
    return start()
  }
  await Promise.all([
    // Nobody kills this one, so nothing is waited for that would only show after a loss of power.
    share('postgres', () => after(findPostgres, () => startPostgres({ fsync: 'off' }))),
    share('redis', () => after(findRedis, startRedis)),
    share('mongodb', startMongodb),
    share('toxiproxy', startToxiproxy),
    share('moto', () => after(findPip, startMoto)),
    attempt('own postgres', () => installed(findPostgres)),
    attempt('own redis', () => installed(findRedis)),
    attempt('pgbouncer', () => installed(findPgbouncer)),
    attempt('smsc', () => installed(findSmsc)),
    attempt('python', () => after(findPip, buildForeign)),
    attempt('nextjs', installNextjs),
    attempt('react-18', installReact18),
    attempt('twilio-python', () => after(findPip, installTwilioPython)),
    attempt('twilio-java', installTwilioJava),
    attempt('twilio-go', () => buildTwilioGo(GO_PROGRAM)),
    attempt('openssl', () => installed(findOpenssl)),
    attempt('oathtool', () => installed(findOathtool)),
    attempt('chromium', () => installed(findChromium)),
  ])
  const stop = async () => {
    await Promise.all(servers.splice(0).map((server) => server.remove()))
  }
  return { environment, missing, stop }
}

/** One installation of all the packages that are missing, begun by whoever is first to need one. */
function packages(): () => Promise<void> {
  const wanted = [
    ...(findPostgres() === undefined ? ['postgresql'] : []),
    ...(findRedis() === undefined ? ['redis-server'] : []),
    ...(findPgbouncer() === undefined ? ['pgbouncer'] : []),
    ...(findSmsc() === undefined ? ['libnet-smpp-perl'] : []),
    ...(findPip() === undefined ? ['python3-pip'] : []),
    ...(findOpenssl() === undefined ? ['openssl'] : []),
    ...(findOathtool() === undefined ? ['oathtool'] : []),
    ...(findChromium() === undefined ? ['chromium'] : []),
  ]
  let installing: Promise<void> | undefined
  return () => (installing ??= installPackages(wanted))
}
