import { setTimeout as sleep } from 'node:timers/promises'
import { makeKeyRing } from '../../src/primitives/secrets.ts'
import { deriveCode } from '../../src/verify/codes.ts'
import { SECRET_KEY } from '../helpers/process.ts'
import { Carrier } from './carrier.ts'
import { Clients } from './clients.ts'
import { Cluster } from './cluster.ts'
import type { Evidence, Limits } from './evidence.ts'
import type { Fault, Ground } from './ground.ts'
import { Dice } from './random.ts'
import { Recorder, type Server } from './recorder.ts'

/** How a run is played. */
export type Plan = {
  readonly seed: number
  /** It goes on until so many servers were killed … */
  readonly kills: number
  /** … so long has passed … */
  readonly leastMs: number
  /** … and every fault of the store has happened so often. */
  readonly rounds: number
  /** After so many more of these, all servers must serve again by themselves. */
  readonly lastFaults: number
  readonly clients: Parameters<Clients['begin']>[1]
  /** Called when the servers are up, before the first call. */
  readonly prepare?: () => Promise<void>
}

/** What a run leaves. */
export type Outcome = {
  readonly evidence: Evidence
  readonly kills: number
  /** How often each fault of the store happened. */
  readonly faults: Readonly<Record<string, number>>
  /** Processes that ended by themselves. */
  readonly deaths: readonly string[]
  /** How long, after each fault of the store, until every server served again, none of them restarted. */
  readonly recoveriesMs: Readonly<Record<string, number>>
  readonly seconds: number
}

/** Tight enough to be reached, except where the least allowed is more. */
const LIMITS: Limits = {
  wrongPerNumberDay: 8,
  sendsPerNumber: 8,
  sendsWindowSeconds: 60,
  sendsPerNumberDay: 14,
}
const CALM_MS = [500, 3_000] as const
const RECOVERY_MS = 20_000

/** Plays a history on a store: clients, kills and faults, until the plan is fulfilled; then reads what is left. */
export async function play(ground: Ground, plan: Plan): Promise<Outcome> {
  const from = performance.now()
  const dice = new Dice(plan.seed)
  const recorder = new Recorder()
  const carrier = await Carrier.listen(dice.fork())
  const cluster = new Cluster(
    ground.seats.map((seat) => ({ ...seat, settings: { ...settingsOf(carrier), ...seat.settings } })),
    recorder,
  )
  try {
    await cluster.boot()
    await plan.prepare?.()
    const clients = new Clients({ recorder, carrier, serverOf: (dice) => cluster.serverOf(dice) })
    clients.begin(dice.fork(), plan.clients)
    const nemesis = new Nemesis(ground.faults, recorder, dice.fork())
    const isOver = () =>
      cluster.kills >= plan.kills && nemesis.rounds >= plan.rounds && performance.now() - from >= plan.leastMs
    const faults = nemesis.disturbUntil(isOver)
    if (plan.kills > 0) await cluster.killUntil(isOver, plan, dice.fork(), () => carrier.arrival())
    else await sleep(plan.leastMs)
    await faults
    clients.windDown()
    const last = dice.shuffle(ground.faults).slice(0, plan.lastFaults)
    const recoveriesMs = await recoveries(last, nemesis, cluster, clients)
    await clients.tryThePast(dice.fork(), 200)
    await clients.end()
    await cluster.stop()
    const evidence = await evidenceOf(ground, recorder, carrier)
    const { kills, deaths } = cluster
    const seconds = Math.round((performance.now() - from) / 1_000)
    return { evidence, kills, faults: nemesis.counts, deaths, recoveriesMs, seconds }
  } finally {
    carrier.close()
  }
}

/** Disturbs the store, one fault at a time, each as often as the others. */
class Nemesis {
  readonly counts: Record<string, number> = {}
  readonly #faults: readonly Fault[]
  readonly #recorder: Recorder
  readonly #dice: Dice

  constructor(faults: readonly Fault[], recorder: Recorder, dice: Dice) {
    this.#faults = faults
    this.#recorder = recorder
    this.#dice = dice
  }

  /** How often the rarest fault has happened. */
  get rounds(): number {
    return Math.min(...this.#faults.map(({ name }) => this.counts[name] ?? 0))
  }

  async disturbUntil(isOver: () => boolean): Promise<void> {
    while (this.#faults.length > 0 && !isOver()) {
      for (const fault of this.#dice.shuffle(this.#faults)) {
        await sleep(this.#dice.within(...CALM_MS))
        if (isOver()) return
        await this.disturb(fault)
      }
    }
  }

  async disturb(fault: Fault): Promise<void> {
    this.#recorder.disturb(fault.name)
    await fault.run(this.#dice)
    this.counts[fault.name] = (this.counts[fault.name] ?? 0) + 1
  }
}

/** After each of these faults: how long until every server, none of them restarted, opens a verification again. */
async function recoveries(
  faults: readonly Fault[],
  nemesis: Nemesis,
  cluster: Cluster,
  clients: Clients,
): Promise<Record<string, number>> {
  const all: Record<string, number> = {}
  for (const fault of faults) {
    await nemesis.disturb(fault)
    const each = cluster.servers.map((server) => msUntilServing(server, clients))
    all[fault.name] = Math.round(Math.max(...(await Promise.all(each))))
  }
  return all
}

async function msUntilServing(server: Server, clients: Clients): Promise<number> {
  const from = performance.now()
  for (;;) {
    const answer = await clients.probe(server)
    const ms = performance.now() - from
    if (answer?.http === 201 || ms > RECOVERY_MS) return ms
    await sleep(20)
  }
}

function settingsOf(carrier: Carrier): Record<string, string | undefined> {
  return {
    ...carrier.settings,
    DEV_MODE: undefined,
    LOG_LEVEL: 'error',
    CODE_TTL_SECONDS: '30',
    RESEND_COOLDOWN_SECONDS: '1',
    RESEND_COOLDOWN_MAX_SECONDS: '2',
    WRONG_CHECKS_PER_PHONE_DAY: `${LIMITS.wrongPerNumberDay}`,
    SMS_RATE_LIMIT_PER_PHONE: `${LIMITS.sendsPerNumber}`,
    SMS_RATE_LIMIT_WINDOW: `${LIMITS.sendsWindowSeconds}`,
    SMS_MAX_PER_PHONE_DAY: `${LIMITS.sendsPerNumberDay}`,
  }
}

async function evidenceOf(ground: Ground, recorder: Recorder, carrier: Carrier): Promise<Evidence> {
  const { rows, sends } = await ground.read()
  const keys = makeKeyRing(SECRET_KEY, []).current
  return {
    limits: LIMITS,
    clockErrorMs: ground.clockErrorMs,
    operations: recorder.operations.sort((a, b) => a.invoked - b.invoked),
    rows: rows.map((row) => ({ ...row, code: deriveCode(keys, row.id, 6) })),
    sends,
    messages: carrier.messages,
    disturbances: recorder.disturbances,
  }
}
