/**
 * The load generator, in a process of its own: see `loader`. Each of `concurrency` workers does whole verifications,
 * one after another: start, then check with the code that the start gave away.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { Pool } from 'undici'
import { dialects, post, type Answer, type Dialect, type Request } from './dialects.ts'
import { addressAt, phoneAt } from './phones.ts'
import { cpuMicros, rssBytes } from './proc.ts'
import type { Target } from './targets.ts'

export interface Job {
  target: Target
  origin: string
  pid: number
  /** Where the server keeps its data; for dialects that look codes up. */
  dataDir?: string
  concurrency: number
  /** The size of the pool of client addresses. */
  addresses: number
  /** Number of the first verification. Each server sees each number once. */
  from: number
  warmupSeconds: number
  /** How much to measure: so many seconds or so many verifications, whichever ends first. */
  seconds?: number
  count?: number
  /** Start all `count` verifications first, unmeasured, and then measure the checks alone. */
  checksOnly?: boolean
}

/** What was measured from the first request of the window to its last answer. */
export interface Measured {
  verifications: number
  failures: number
  firstFailure: string
  seconds: number
  serverCpuMicros: number
  loadCpuMicros: number
  rssBytes: number
  /** Latencies in milliseconds, one a verification. */
  startMs: Float64Array
  checkMs: Float64Array
  /** Number of the first verification not yet used. */
  next: number
}

/** Starts the load generator; the returned function gives it one job at a time. */
export function loader(): { run(job: Job): Promise<Measured>; stop(): void } {
  const child = fork(import.meta.filename, { serialization: 'advanced' })
  return {
    async run(job) {
      child.send(job)
      const done = new AbortController()
      const died = once(child, 'exit', done).then(() => [{ error: 'the load generator died' }])
      const [reply] = (await Promise.race([once(child, 'message', done), died])) as [
        Measured | { error: string },
      ]
      done.abort()
      if ('error' in reply) throw new Error(reply.error)
      if (reply.failures > 0)
        throw new Error(`void: ${reply.failures} failed on ${job.target}: ${reply.firstFailure}`)
      return reply
    },
    stop: () => child.disconnect(),
  }
}

/** One job on one server. */
class Session {
  readonly #job: Job
  readonly #dialect: Dialect
  readonly #pool: Pool
  #next: number
  #failures = 0
  #firstFailure = ''
  #startMs: number[] = []
  #checkMs: number[] = []

  constructor(job: Job) {
    this.#job = job
    this.#dialect = dialects[job.target]
    this.#pool = new Pool(job.origin, { connections: job.concurrency, pipelining: 1 })
    this.#next = job.from
  }

  async run(): Promise<Measured> {
    try {
      await this.#dialect.prepare?.((request) => this.#post(request))
      await this.#prove()
      await this.#phase(this.#until(this.#job.warmupSeconds), () => this.#verify())
      if (!this.#job.checksOnly) return await this.#measure(() => this.#verify())
      const open: Request[] = []
      await this.#phase(this.#until(undefined, this.#job.count), async () => {
        const { code, check } = await this.#start()
        open.push(check(code))
      })
      return await this.#measure(async () => {
        const request = open.pop()
        if (request) await this.#check(request)
      })
    } finally {
      await this.#pool.close()
    }
  }

  /**
   * A server that approves anything would win every race. So, before the load: a wrong code must not be approved,
   * the right one must, and the right one not twice.
   */
  async #prove() {
    const { code, check } = await this.#start()
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
    for (const [guess, expected] of [
      [wrong, false],
      [code, true],
      [code, this.#dialect.reuses === true],
    ] as const) {
      const answer = await this.#post(check(guess))
      if (this.#dialect.approved(answer) !== expected) throw refusal('the proving check', answer)
    }
  }

  async #verify() {
    const began = performance.now()
    const { code, check } = await this.#start()
    const startMs = performance.now() - began
    await this.#check(check(code))
    this.#startMs.push(startMs)
  }

  async #start() {
    const n = this.#next++
    const request = this.#dialect.start(phoneAt(n), addressAt(n, this.#job.addresses))
    const answer = await this.#post(request)
    const started = this.#dialect.started(request, answer, this.#job.dataDir ?? '')
    if (!started) throw refusal('a start', answer)
    return started
  }

  async #check(request: Request) {
    const began = performance.now()
    const answer = await this.#post(request)
    if (!this.#dialect.approved(answer)) throw refusal('a check', answer)
    this.#checkMs.push(performance.now() - began)
  }

  #post(request: Request) {
    return post(this.#pool, this.#dialect, request)
  }

  /** Nothing is in flight when the window opens and when it closes, so the CPU time belongs to these verifications. */
  async #measure(work: () => Promise<void>): Promise<Measured> {
    this.#startMs = []
    this.#checkMs = []
    const { pid, seconds, count } = this.#job
    const [server, load, began] = [cpuMicros(pid), cpuMicros(process.pid), performance.now()]
    await this.#phase(this.#until(seconds, count), work)
    return {
      seconds: (performance.now() - began) / 1000,
      serverCpuMicros: cpuMicros(pid) - server,
      loadCpuMicros: cpuMicros(process.pid) - load,
      rssBytes: rssBytes(pid),
      verifications: this.#checkMs.length,
      failures: this.#failures,
      firstFailure: this.#firstFailure,
      startMs: Float64Array.from(this.#startMs),
      checkMs: Float64Array.from(this.#checkMs),
      next: this.#next,
    }
  }

  /** Keeps all workers busy while there is more to do, and ends when the last has its answer. */
  async #phase(more: () => boolean, work: () => Promise<void>) {
    const worker = async () => {
      while (more()) {
        await work().catch((error: unknown) => {
          this.#failures++
          this.#firstFailure ||= String(error)
        })
      }
    }
    await Promise.all(Array.from({ length: this.#job.concurrency }, worker))
  }

  /** Says yes so long, so many times, and never after many failures. */
  #until(seconds = Infinity, count = Infinity): () => boolean {
    const deadline = performance.now() + seconds * 1000
    let left = count
    return () => left-- > 0 && performance.now() < deadline && this.#failures < 100
  }
}

function refusal(what: string, { status, body }: Answer): Error {
  return new Error(`${what} answered ${status} ${JSON.stringify(body)}`)
}

if (import.meta.main) {
  process.on('message', async (job: Job) => {
    process.send?.(await new Session(job).run().catch((error: unknown) => ({ error: String(error) })))
  })
}
