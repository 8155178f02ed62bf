import { setTimeout as sleep } from 'node:timers/promises'
import { numberOf } from '../helpers/process.ts'
import { wrong } from '../helpers/wire.ts'
import { type Carrier, PURPOSES } from './carrier.ts'
import type { Answer, Request } from './evidence.ts'
import type { Dice } from './random.ts'
import type { Recorder, Server } from './recorder.ts'

/** Numbers in use at one time: few enough for clients to meet at them. */
const NUMBERS = 14
const NUMBER_LIVES_MS = [6_000, 30_000] as const
/** The newest verifications of a number and purpose that clients still try. */
const REMEMBERED = 3

/** What a client does next, and how often. */
const ACTIONS = {
  start: 20,
  startTogether: 4,
  resend: 8,
  guess: 16,
  right: 16,
  race: 8,
  burst: 5,
  byNumber: 6,
  cancel: 6,
  read: 6,
  again: 8,
} as const

type Wanted = Omit<Request, 'server' | 'kind'>

/** A number that clients share, until they are done with it. */
type Line = { readonly to: string; readonly endsAt: number; readonly ids: Map<string, string[]> }

/** Clients that do what people, apps and attackers do, all at once and to the same few numbers. */
export class Clients {
  readonly #recorder: Recorder
  readonly #carrier: Carrier
  readonly #serverOf: (dice: Dice) => Promise<Server>
  readonly #stop = new AbortController()
  readonly #stopPatient = new AbortController()
  readonly #work: Promise<void>[] = []
  readonly #lines: Line[] = []
  /** Some of those that have ended, to come back to. */
  readonly #past: Wanted[] = []
  #numbers = 0
  #keys = 0

  constructor(parts: {
    recorder: Recorder
    carrier: Carrier
    /** A server to ask, as a load balancer would choose it. */
    serverOf: (dice: Dice) => Promise<Server>
  }) {
    this.#recorder = parts.recorder
    this.#carrier = parts.carrier
    this.#serverOf = parts.serverOf
  }

  /** Lets so many of each kind begin. `pauseMs` is how long the busy ones wait between calls, at most. */
  begin(dice: Dice, counts: { busy: number; late: number; keyed: number; pauseMs: number }): void {
    const add = (count: number, { signal }: AbortController, live: (dice: Dice) => Promise<void>) => {
      for (let n = 0; n < count; n++) this.#work.push(repeat(dice.fork(), signal, live))
    }
    add(counts.busy, this.#stop, async (dice) => {
      await this.#act(dice)
      await pause(dice.next() * counts.pauseMs, this.#stop.signal)
    })
    add(counts.late, this.#stopPatient, (dice) => this.#waitForTheEnd(dice))
    add(counts.keyed, this.#stopPatient, (dice) => this.#insist(dice))
  }

  /** Lets those end that wait long for something. */
  windDown(): void {
    this.#stopPatient.abort()
  }

  /** Resolves when every call that is under way has returned. */
  async end(): Promise<void> {
    this.windDown()
    this.#stop.abort()
    await Promise.all(this.#work)
  }

  /** Opens a verification of a number that nobody else uses. */
  probe(server: Server): Promise<Answer | undefined> {
    return this.#recorder.call(server, { kind: 'start', to: this.#fresh(), purpose: 'verify' })
  }

  /** Tries the right code of what had ended once more, on any server. */
  async tryThePast(dice: Dice, count: number): Promise<void> {
    const some = dice.shuffle(this.#past).slice(0, count)
    await Promise.all(some.map((past) => this.#call(dice, { kind: 'check', ...past })))
  }

  async #act(dice: Dice): Promise<void> {
    const line = this.#line(dice)
    const { to } = line
    const purpose = dice.pick(PURPOSES)
    const id = dice.pick(line.ids.get(purpose) ?? [])
    const code = this.#carrier.codeFor(to, purpose)
    const action = dice.weigh(ACTIONS)
    if (action === 'again') return this.#again(dice)
    if (action === 'startTogether') {
      const starts = [1, 2, 3].map(() => this.#start(dice, line, purpose))
      await Promise.all(starts)
      return
    }
    if (action === 'start' || id === undefined || code === undefined) return this.#start(dice, line, purpose)
    const target = { to, purpose, id }
    const check = (code: string) => this.#call(dice, { kind: 'check', ...target, code })
    switch (action) {
      case 'resend':
      case 'cancel':
      case 'read':
        await this.#call(dice, { kind: action, ...target })
        break
      case 'guess':
        await check(wrong(code, dice.within(1, 1_000_000)))
        break
      case 'right':
        await check(code)
        break
      case 'byNumber':
        await this.#call(dice, { kind: 'check', to, purpose, code: dice.chance(0.5) ? code : wrong(code) })
        break
      case 'race':
        await Promise.all([check(code), check(code), check(code), check(wrong(code))])
        break
      case 'burst':
        await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => check(n === 8 ? code : wrong(code, n))))
    }
    if (['right', 'race', 'cancel', 'burst'].includes(action)) this.#remember({ ...target, code })
  }

  async #start(dice: Dice, line: Line, purpose: string): Promise<void> {
    const answer = await this.#call(dice, { kind: 'start', to: line.to, purpose })
    if (answer?.id === undefined) return
    const ids = line.ids.get(purpose) ?? []
    if (!ids.includes(answer.id)) line.ids.set(purpose, [...ids, answer.id].slice(-REMEMBERED))
  }

  async #again(dice: Dice): Promise<void> {
    const past = dice.pick(this.#past)
    if (past) await this.#call(dice, { kind: 'check', ...past })
  }

  #remember(past: Wanted): void {
    this.#past.push(past)
    if (this.#past.length > 2_000) this.#past.splice(0, 1_000)
  }

  /** A person who comes with the right code just before, at and just after its end. */
  async #waitForTheEnd(dice: Dice): Promise<void> {
    const purpose = dice.pick(PURPOSES)
    const to = this.#fresh()
    const { id, expiresAt } = (await this.#call(dice, { kind: 'start', to, purpose })) ?? {}
    if (id === undefined || expiresAt === undefined) return pause(500, this.#stopPatient.signal)
    await pause(expiresAt - Date.now() - 120, this.#stopPatient.signal)
    const code = this.#carrier.codeFor(to, purpose)
    if (code === undefined || this.#stopPatient.signal.aborted) return
    const check = async (afterMs: number) => {
      await pause(afterMs, this.#stopPatient.signal)
      await this.#call(dice, { kind: 'check', to, purpose, id, code: dice.chance(0.7) ? code : wrong(code) })
    }
    const from = dice.within(-60, 130)
    await Promise.all([from, from + 10, 120, 125, 180].map((afterMs) => check(Math.max(0, afterMs))))
    this.#remember({ to, purpose, id, code })
  }

  /** An app that sends its start again with the same key, until it has an answer, and sometimes twice at once. */
  async #insist(dice: Dice): Promise<void> {
    const purpose = dice.pick(PURPOSES)
    const to = dice.chance(0.5) ? this.#line(dice).to : this.#fresh()
    const key = `key-${this.#keys++}`
    const start = () => this.#call(dice, { kind: 'start', to, purpose, key })
    for (let tries = 0; tries < 12 && !this.#stopPatient.signal.aborted; tries++) {
      const answers = await Promise.all(dice.chance(0.4) ? [start(), start()] : [start()])
      if (answers.every((answer) => answer && answer.http < 300)) break
      await pause(dice.within(100, 4_000), this.#stopPatient.signal)
    }
    if (this.#stopPatient.signal.aborted) return
    const id = (await start())?.id
    const code = this.#carrier.codeFor(to, purpose)
    if (id === undefined || code === undefined) return
    await this.#call(dice, { kind: 'check', to, purpose, id, code })
    // The key keeps its answer when the verification has long ended.
    await start()
  }

  async #call(dice: Dice, request: Omit<Request, 'server'>): Promise<Answer | undefined> {
    return this.#recorder.call(await this.#serverOf(dice), request)
  }

  #line(dice: Dice): Line {
    const at = dice.within(0, NUMBERS)
    const line = this.#lines[at]
    if (line && line.endsAt > Date.now()) return line
    return (this.#lines[at] = {
      to: this.#fresh(),
      endsAt: Date.now() + dice.within(...NUMBER_LIVES_MS),
      ids: new Map(),
    })
  }

  #fresh(): string {
    return numberOf(this.#numbers++)
  }
}

async function repeat(dice: Dice, signal: AbortSignal, live: (dice: Dice) => Promise<void>): Promise<void> {
  while (!signal.aborted) await live(dice)
}

/** Ends at once when the clients are told to end. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
