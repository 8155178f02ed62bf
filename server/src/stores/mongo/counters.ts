import { randomInt } from 'node:crypto'
import { refusing, stateOf, waitSeconds } from '../../limits/window.ts'
import type { Counter, Counters, Refused, RuleState, Taken } from '../../limits/counters.ts'
import type { Clock } from '../../primitives/clock.ts'
import type { MongoDatabase, Step } from './database.ts'
import { HitLogs } from './hit-logs.ts'

/** A round looks at the counters of so many takes at once. */
const ROUND_MAX = 256
const PAUSE_MAX_MS = 20
/** How often a take waits for hits that may be taken back, before it believes that they stay. */
const WAITS_MAX = 30

/** A take that waits for a round. */
type Unit = {
  readonly counters: readonly Counter[]
  readonly isWanted: () => boolean
  readonly resolve: (result: Taken | Refused) => void
  readonly reject: (error: unknown) => void
  waits: number
}

/**
 * Counters in MongoDB: a document each, exact between all processes.
 *
 * Takes that arrive while others are under way wait for the next round, which reads the logs of all of them at once.
 * Who is refused by what is written there is told so. The others add their hit to each of their counters, by updates
 * that the server itself lets through or not; where one counter has filled up meanwhile, a take takes back what it
 * added to the others and waits for the next round. Hits that may yet be taken back count, so nobody ever gets one too
 * many, and are marked as held, so that another process that has no room but for them waits and looks again. Who dies
 * in between has spent them.
 */
export class MongoCounters implements Counters {
  readonly #db: MongoDatabase
  readonly #clock: Clock
  readonly #logs: HitLogs
  #waiting: Unit[] = []
  #isRunning = false

  constructor(db: MongoDatabase, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#logs = new HitLogs(db.collection('counters'))
  }

  async take(counters: readonly Counter[]): Promise<Taken | Refused> {
    let isWanted = true
    try {
      return await this.#db.run((step) => step(() => this.#queue(counters, () => isWanted)))
    } finally {
      isWanted = false
    }
  }

  peek(counters: readonly Counter[]): Promise<RuleState[]> {
    const keys = counters.map(({ key }) => key)
    return this.#db.run(async (step) => {
      const logs = await step(() => this.#logs.read(keys, () => this.#clock.now()))
      const now = this.#clock.now()
      return counters.flatMap(({ key, rules }) => stateOf(rules, logs(key).hits, now))
    })
  }

  give(taken: Taken): Promise<void> {
    return this.#db.run((step) => step(() => this.#logs.remove(taken.keys, taken.at)))
  }

  #queue(counters: readonly Counter[], isWanted: () => boolean): Promise<Taken | Refused> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ counters, isWanted, resolve, reject, waits: 0 })
    })
  }

  #enqueue(unit: Unit): void {
    this.#waiting.push(unit)
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(() => void this.#runRounds())
  }

  /** Another process was quicker, or is not done. Not to meet it again, each waits for a time of its own. */
  #enqueueLater(unit: Unit): void {
    unit.waits++
    setTimeout(() => this.#enqueue(unit), randomInt(PAUSE_MAX_MS))
  }

  async #runRounds(): Promise<void> {
    while (this.#waiting.length > 0) {
      const units = this.#waiting.splice(0, ROUND_MAX).filter(({ isWanted }) => isWanted())
      if (units.length === 0) continue
      try {
        const again = await this.#db.run((step) => this.#round(step, units))
        this.#waiting.unshift(...again)
      } catch (error) {
        for (const unit of units) unit.reject(error)
      }
    }
    this.#isRunning = false
  }

  /** Answers as many as it can, and resolves with those for the very next round. */
  async #round(step: Step, units: readonly Unit[]): Promise<Unit[]> {
    const keys = new Set(units.flatMap(({ counters }) => counters.map(({ key }) => key)))
    const logs = await step(() => this.#logs.read([...keys], () => this.#clock.now()))
    const now = this.#clock.now()
    const again: Unit[] = []
    const adding: Promise<void>[] = []
    const planned = new Map<string, number[]>()
    const hits = (key: string) => logs(key).hits
    const hitsAndPlans = (key: string) => [...(planned.get(key) ?? []), ...hits(key)]
    for (const unit of units) {
      const { counters } = unit
      const isPatient = unit.waits < WAITS_MAX
      const certain = counters.filter(({ key }) => !(isPatient && logs(key).isOpen))
      const refused = refusal(certain, hits, now)
      if (refused) {
        unit.resolve(refused)
      } else if (refusal(counters, hits, now)) {
        this.#enqueueLater(unit)
      } else if (refusal(counters, hitsAndPlans, now)) {
        again.push(unit)
      } else {
        for (const { key } of counters) planned.set(key, [now, ...(planned.get(key) ?? [])])
        adding.push(this.#add(step, unit, this.#logs.label(now)))
      }
    }
    await Promise.all(adding)
    return again
  }

  /** Adds a hit to every counter of a take and answers it, or adds it to none and lets it try again. */
  async #add(step: Step, unit: Unit, at: number): Promise<void> {
    const isHeld = unit.counters.length > 1
    const results = await Promise.allSettled(
      unit.counters.map(({ key, rules }) => step(() => this.#logs.add(key, rules, at, isHeld))),
    )
    const keys = unit.counters.map(({ key }) => key)
    const added = keys.filter((_key, place) => isTrue(results[place]))
    if (added.length === keys.length && unit.isWanted()) {
      unit.resolve({ ok: true, keys, at })
      if (isHeld) await this.#db.tidy(() => this.#logs.keep(keys, at))
      return
    }
    if (added.length > 0) await this.#db.tidy(() => this.#logs.remove(added, at))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) unit.reject(failed.reason)
    else if (unit.isWanted()) this.#enqueueLater(unit)
  }
}

/** What the first counter without room says. */
function refusal(
  counters: readonly Counter[],
  hits: (key: string) => readonly number[],
  nowMs: number,
): Refused | undefined {
  for (const { key, rules } of counters) {
    const refused = refusing(rules, hits(key), nowMs)
    if (refused) return { ok: false, rule: refused.rule, retryAfterSeconds: waitSeconds(refused.at, nowMs) }
  }
  return undefined
}

function isTrue(result: PromiseSettledResult<boolean> | undefined): boolean {
  return result?.status === 'fulfilled' && result.value
}
