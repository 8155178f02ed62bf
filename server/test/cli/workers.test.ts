import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { portOf } from '../conformance/provider-faults.ts'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import { SlowVendor } from '../security/slow-vendor.ts'
import { countersign, endAll, makeFolder, type Place, serve, type Serving } from './cli.ts'

const SK = 'sk_countersign_cli_tests_0123456789'
const TO = '+14155552671'

afterAll(endAll)

describe('where only one process can serve', () => {
  test('SQLite with two workers is refused with what to do instead, exit code 1', async () => {
    const { code, stdout, stderr } = await countersign(['serve', '--workers', '2'], { cwd: makeFolder() })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('WORKERS is 2, but SQLite serves one process: use WORKERS=1, or a postgres://')
  })

  test('auto is one, and the server starts', async () => {
    const server = await serve(['--dev', '--workers=auto'], { cwd: makeFolder() })
    expect(server.stdout()).toContain('/dev/inbox')
    expect((await server.stop()).code).toBe(0)
  })

  test('a worker is not for people', async () => {
    const { code, stderr } = await countersign(['worker'], { cwd: makeFolder() })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'A worker is started by: countersign serve --workers N\n',
    })
  })
})

describeWith('postgres', 'two workers', () => {
  let database: Fresh
  let place: Place

  beforeEach(async () => {
    database = await freshPostgres()
    place = {
      cwd: makeFolder(),
      env: {
        DATABASE_URL: database.url,
        SECRET_KEY: 'a secret of the workers’ tests',
        API_KEYS: SK,
        SMS_PROVIDER: 'mock',
      },
    }
  })
  afterEach(() => database.drop())

  const start = (more: Record<string, string> = {}) =>
    serve(['--workers', '2'], { ...place, env: { ...place.env, ...more } })

  test('share one port, and say that they listen once both do', async () => {
    const server = await start()
    expect(workersOf(server)).toHaveLength(2)
    await Promise.all(Array.from({ length: 20 }, () => get(server, '/v1/phones/lookup')))
    const { code, stdout } = await server.stop('SIGTERM')
    expect(code).toBe(0)
    const lines = linesOf(stdout)
    const served = lines.filter(({ msg }) => msg === 'request').map(({ worker }) => worker)
    expect(served).toHaveLength(20)
    expect([...new Set(served)].sort()).toEqual([1, 2])
    expect(lines.filter(({ msg }) => msg === 'listening')).toEqual([
      expect.objectContaining({ port: server.port, workers: 2 }),
    ])
  })

  test('tell the figures of both, whichever is scraped, and of one that was killed too', async () => {
    const server = await start()
    const count = () => figure(server, 'countersign_request_duration_seconds_count', 'route="/healthz"')
    await Promise.all(Array.from({ length: 30 }, () => get(server, '/healthz')))
    for (let scrape = 0; scrape < 4; scrape++) expect(await count()).toBe(30)
    // Of gauges that tell a state there is one, however many processes there are.
    expect(await figure(server, 'countersign_wrong_rate_alarm', '')).toBe(0)

    const [victim = 0] = workersOf(server)
    process.kill(victim, 'SIGKILL')
    await until(() => workersOf(server).length === 3)
    expect(await count()).toBe(30)
    expect(await figure(server, 'countersign_worker_restarts_total', '')).toBe(1)
    expect(await figure(server, 'countersign_build_info', '')).toBe(1)
    await Promise.all(Array.from({ length: 10 }, () => get(server, '/healthz')))
    for (let scrape = 0; scrape < 4; scrape++) expect(await count()).toBe(40)
    await server.stop()
  })

  test('one that is told to stop finishes what it does, is replaced, and what it counted stays counted', async () => {
    const server = await start()
    await Promise.all(Array.from({ length: 10 }, () => get(server, '/healthz')))
    const [victim = 0] = workersOf(server)
    process.kill(victim, 'SIGTERM')
    await until(() => workersOf(server).length === 3)
    expect(isAlive(victim)).toBe(false)
    expect(await figure(server, 'countersign_request_duration_seconds_count', 'route="/healthz"')).toBe(10)
    expect((await server.stop()).code).toBe(0)
  })

  test('a request of one is known to the other: the fifth wrong code is the last, wherever each is given', async () => {
    const vendor = await slowVendor()
    const server = await start({ ...vendor.settings })
    const started = server.call('/v1/verifications', SK, { to: TO })
    await vendor.arrivals(1)
    vendor.letGo()
    const { id } = (await started).body
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => get(server, `/v1/verifications/${id}/check`, { code: '000000' })),
    )
    const reasons = answers.map(({ body }) => (JSON.parse(body) as { reason: string }).reason)
    expect(reasons.filter((reason) => reason === 'wrong_code').length).toBeLessThanOrEqual(5)
    expect(reasons).toContain('locked')
    await server.stop()
  })

  test.for(['SIGTERM', 'SIGINT'] as const)(
    '%s: what is under way in both is answered, then all end with 0 (F26)',
    async (signal) => {
      const vendor = await slowVendor()
      const server = await start(vendor.settings)
      const pids = workersOf(server)
      const starts = [1, 2, 3, 4].map((n) => get(server, '/v1/verifications', { to: `+1415555267${n}` }))
      await vendor.arrivals(4)
      const from = performance.now()
      const stopped = server.stop(signal)
      setTimeout(() => vendor.letGo(), 700)
      expect((await Promise.all(starts)).map(({ status }) => status)).toEqual([201, 201, 201, 201])
      const { code, stderr, stdout } = await stopped
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(performance.now() - from).toBeLessThan(10_000)
      expect(pids.filter(isAlive)).toEqual([])
      const served = linesOf(stdout).filter(({ msg }) => msg === 'request')
      expect(new Set(served.map(({ worker }) => worker)).size).toBe(2)
    },
  )

  test('killed as the supervisor is, no worker is left: each answers what is under way and ends', async () => {
    const vendor = await slowVendor()
    const server = await start(vendor.settings)
    const pids = workersOf(server)
    const starts = [1, 2].map((n) => get(server, '/v1/verifications', { to: `+1415555267${n}` }))
    await vendor.arrivals(2)
    process.kill(server.pid, 'SIGKILL')
    setTimeout(() => vendor.letGo(), 500)
    expect((await Promise.all(starts)).map(({ status }) => status)).toEqual([201, 201])
    await until(() => !pids.some(isAlive))
    await expect(get(server, '/healthz')).rejects.toThrow()
  })

  test('that end again and again are given up, with the reason, exit code 1', async () => {
    const dying = 'if (process.argv.includes("worker")) process.exit(7)'
    const { code, stderr } = await countersign(['serve', '--workers=2'], {
      ...place,
      env: { ...place.env, NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(dying)}"` },
    })
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'Countersign cannot start: exit code 7\n' })
  })

  test('a port in use is told once, as one process tells it', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => {
      taken.listen(0, '127.0.0.1', resolve)
    })
    onTestFinished(() => void taken.close())
    const { code, stderr } = await countersign(['serve', '--workers=2'], {
      ...place,
      env: { ...place.env, PORT: String(portOf(taken)) },
    })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `Countersign cannot start: port ${portOf(taken)} of 127.0.0.1 is in use; set PORT to another\n`,
    })
  })

  test('in development the banner is printed once, with keys that were made once and that both know', async () => {
    const vendor = await slowVendor()
    const { API_KEYS: _, SECRET_KEY: __, ...env } = { ...place.env, ...vendor.settings }
    const server = await serve(['--dev', '--workers=2'], { ...place, env })
    await until(() => server.stdout().includes('Secret key'))
    expect(server.stdout().match(/Countersign is up/g)).toHaveLength(1)
    expect(server.stdout()).not.toContain('/dev/inbox')
    const key = /Secret key +(sk_\S+)/.exec(server.stdout())?.[1] ?? ''
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => get(server, '/v1/verifications', undefined, key)),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    const { stdout } = await countersign(['keys', 'list'], { ...place, env: { ...env, DEV_MODE: 'true' } })
    // A secret key, a publishable one, and an account for Twilio's SDKs.
    expect(stdout.match(/\tlive/g)).toHaveLength(3)
    await server.stop()
  })
})

type LogLine = { readonly msg: string; readonly worker?: number; readonly pid?: number }

function linesOf(stdout: string): LogLine[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as LogLine)
}

/** The process ids of all workers there have been, oldest first. */
function workersOf({ stdout }: Serving): number[] {
  return linesOf(stdout().slice(0, stdout().lastIndexOf('\n')))
    .filter(({ msg }) => msg === 'a worker is up')
    .map(({ pid = 0 }) => pid)
}

async function figure(server: Serving, name: string, label: string): Promise<number> {
  const { body } = await get(server, '/metrics')
  const line = body.split('\n').find((each) => each.startsWith(name) && each.includes(label))
  return Number(line?.split(' ').at(-1))
}

/** A call on a connection of its own, so that calls spread over the workers. A body makes it a POST. */
function get(
  server: Serving,
  path: string,
  body?: object,
  key = SK,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${server.url}${path}`,
      {
        agent: false,
        method: body ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => (text += part))
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }))
      },
    )
    call.on('error', reject)
    call.end(body && JSON.stringify(body))
  })
}

async function slowVendor(): Promise<SlowVendor & { settings: Record<string, string> }> {
  const vendor = new SlowVendor()
  const settings = await vendor.listen()
  onTestFinished(() => vendor.close())
  return Object.assign(vendor, { settings })
}

/** Whether a process runs. One whose parent is gone may lie about as a zombie until somebody collects it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}

async function until(holds: () => boolean, ms = 12_000): Promise<void> {
  const late = Date.now() + ms
  while (!holds()) {
    if (Date.now() > late) throw new Error('it did not come to that')
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
}
