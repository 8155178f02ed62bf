import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { describeWith, type Fresh, freshPostgres } from '../helpers/services.ts'
import { endAll, makeFolder, serve, type Serving } from './cli.ts'
import { HUNG_MS } from './hung.ts'

/** What waits for a worker that is stopped gives up after this. */
const PATIENCE_MS = 800
const SLOW = { timeout: 60_000 }

afterAll(endAll)

describeWith('postgres', 'of two workers', () => {
  let database: Fresh
  let server: Serving

  beforeEach(async () => {
    database = await freshPostgres()
  })
  afterEach(async () => {
    for (const pid of [server.pid, ...workersOf(server)]) signal(pid, 'SIGCONT')
    await server.stop('SIGTERM')
    await database.drop()
  })

  async function start(more: Record<string, string> = {}): Promise<void> {
    const env = {
      DATABASE_URL: database.url,
      SECRET_KEY: 'a secret of the hanging workers’ tests',
      SMS_PROVIDER: 'mock',
      ...more,
    }
    server = await serve([], { cwd: makeFolder(), env }, join(import.meta.dirname, 'impatient.ts'))
  }

  test('one that hangs is killed and replaced, and the other serves meanwhile', SLOW, async () => {
    await start()
    const [victim = 0, other = 0] = workersOf(server)
    process.kill(victim, 'SIGSTOP')
    const from = performance.now()
    const answers: boolean[] = []
    while (workersOf(server).length < 3) {
      expect(performance.now() - from).toBeLessThan(8 * HUNG_MS)
      answers.push(await isAnswered(server))
      await sleep(50)
    }
    // Not before its time: a worker that is busy for a moment is left alone.
    expect(performance.now() - from).toBeGreaterThan(HUNG_MS - 100)
    // One connection was handed to it before anybody could know.
    expect(answers.filter((answered) => !answered).length).toBeLessThanOrEqual(1)
    expect(answers.length).toBeGreaterThan(20)
    expect(() => process.kill(victim, 0)).toThrow('ESRCH')
    expect(endsOf(server)).toEqual([`it did not answer for ${HUNG_MS / 1000} s and was killed`])
    expect(workersOf(server)).toContain(other)
    for (let n = 0; n < 10; n++) expect(await isAnswered(server)).toBe(true)
    const text = await (await fetch(`${server.url}/metrics`)).text()
    expect(text).toMatch(/^countersign_worker_restarts_total 1$/m)
  })

  test(
    'none is killed while all answer, nor because the supervisor was held up itself, nor because all were',
    SLOW,
    async () => {
      await start()
      await sleep(1.5 * HUNG_MS)
      const workers = workersOf(server)
      process.kill(server.pid, 'SIGSTOP')
      await sleep(1.5 * HUNG_MS)
      process.kill(server.pid, 'SIGCONT')
      await sleep(HUNG_MS)
      for (const pid of [server.pid, ...workers]) process.kill(pid, 'SIGSTOP')
      await sleep(1.5 * HUNG_MS)
      for (const pid of [server.pid, ...workers]) process.kill(pid, 'SIGCONT')
      await sleep(HUNG_MS)
      expect(endsOf(server)).toEqual([])
      expect(workersOf(server)).toEqual(workers)
      expect(await isAnswered(server)).toBe(true)
    },
  )

  test('none is killed while it starts, however long that takes', SLOW, async () => {
    const slow = `if (process.argv.includes('worker'))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${2 * HUNG_MS})`
    await start({ NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(slow)}"` })
    expect(workersOf(server)).toHaveLength(2)
    expect(endsOf(server)).toEqual([])
  })
})

type LogLine = { readonly msg: string; readonly pid?: number; readonly reason?: string }

function linesOf({ stdout }: Serving, msg: string): readonly LogLine[] {
  const whole = stdout().slice(0, stdout().lastIndexOf('\n'))
  const lines = whole.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as LogLine).filter((line) => line.msg === msg)
}

/** The process ids of all workers there have been, oldest first. */
function workersOf(server: Serving): number[] {
  return linesOf(server, 'a worker is up').map(({ pid = 0 }) => pid)
}

/** Why workers ended. */
function endsOf(server: Serving): (string | undefined)[] {
  return linesOf(server, 'a worker ended; another takes its place').map(({ reason }) => reason)
}

/** Whether a call on a connection of its own is answered in time. */
async function isAnswered({ url }: Serving): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/healthz`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    return answer.status === 200
  } catch {
    return false
  }
}

/** A process that has ended needs no signal. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}
