import type { Clock } from '../primitives/clock.ts'
import { Circuit, type CircuitState, type Permission } from './circuit.ts'
import type { Dice } from './dice.ts'
import { RecentMap } from './recent-map.ts'

export type { CircuitState, Permission } from './circuit.ts'

/** What goes wrong together: messages of one provider, to one country, from one sender. */
export type CircuitKey = {
  readonly provider: string
  /** ISO 3166-1 alpha-2; `*` for the circuit of a provider as a whole. */
  readonly country: string
  readonly sender: string | null
}

/**
 * What a call says about its provider. A bad number, somebody who opted out and a block are `neutral`: they say nothing
 * about it. A throttled call is `failed`.
 */
export type Signal = 'ok' | 'failed' | 'misconfigured' | 'neutral'

/** One call under way. Only its first word counts. */
export interface Attempt {
  /** It has not been answered for some seconds: a failure, whatever it will come to. */
  slow(): void
  /** It has been answered. `retryAfterSeconds`: how long the vendor asked us to stay away. */
  end(signal: Signal, retryAfterSeconds?: number): void
}

/** Told about every change; `country` is `*` where it is a provider as a whole. */
export type CircuitObserver = (key: CircuitKey, state: CircuitState) => void

const KEYS_MAX = 2_000
/** So many failures one after the other open a circuit. */
const FAILURES = 5
/** Of at least so many calls, half failed: open. */
const ENOUGH = 10
/** Of more than so many the last ones are looked at, so that an outage shows soon where there is much to do. */
const RECENT = 50
const RECENT_MS = 30_000
/** So many keys of a provider that opened, and nothing got through since the first: it is down everywhere. */
const KEYS_DOWN = 3
/** The same by calls that failed one after the other; one key alone never comes to so many. */
const FAILURES_ANYWHERE = 10

type Call = { readonly at: number; readonly failed: boolean }

/** What is known of a key. */
type Line = {
  readonly key: CircuitKey
  readonly id: string
  readonly circuit: Circuit
  /** Failures since the last success. */
  failures: number
  recent: Call[]
  lastOkAt: number
}

/** What is known of a provider over all its keys. */
type Vendor = {
  readonly circuit: Circuit
  /** Failures since its last success by key, of each at most {@link FAILURES}. */
  readonly failures: Map<string, number>
  /** The keys among them that are not closed. */
  readonly down: Set<string>
}

/**
 * Circuit breakers in the memory of this process, by provider, country and sender, and one for each provider as a
 * whole: where it is down in several countries, the others do not each have to find out. A call that is not let
 * through costs no time.
 */
export class Circuits {
  readonly #clock: Clock
  readonly #random: Dice
  readonly #onChange: CircuitObserver
  readonly #lines: RecentMap<Line>
  /** As many as there are providers. */
  readonly #vendors = new Map<string, Vendor>()
  #elapsedMs = 0
  #seenAt: number

  constructor(deps: { clock: Clock; random: Dice; onChange?: CircuitObserver; keysMax?: number }) {
    this.#clock = deps.clock
    this.#random = deps.random
    this.#onChange = deps.onChange ?? (() => {})
    this.#lines = new RecentMap(deps.keysMax ?? KEYS_MAX, ({ circuit }) => circuit.state !== 'closed')
    this.#seenAt = deps.clock.now()
  }

  /** Looks what a call would be told: changes nothing, and promises nothing. */
  ask(key: CircuitKey): Permission {
    const now = this.#now()
    const line = this.#lines.peek(idOf(key))?.circuit.ask(now) ?? 'closed'
    const vendor = this.#vendors.get(key.provider)?.circuit.ask(now) ?? 'closed'
    if (line === 'open' || vendor === 'open') return 'open'
    return line === 'probe' || vendor === 'probe' ? 'probe' : 'closed'
  }

  /** Whether a call would be let through now. */
  mayCall(key: CircuitKey): boolean {
    return this.ask(key) !== 'open'
  }

  /** Whether calls go through and the last one did not fail: more calls do no harm. */
  isHealthy(key: CircuitKey): boolean {
    return this.ask(key) === 'closed' && (this.#lines.peek(idOf(key))?.failures ?? 0) === 0
  }

  /** Milliseconds until a call may be let through; 0 when it may be now. */
  waitMs(key: CircuitKey): number {
    const now = this.#now()
    const circuits = [this.#lines.peek(idOf(key))?.circuit, this.#vendors.get(key.provider)?.circuit]
    return Math.max(...circuits.map((circuit) => circuit?.waitMs(now) ?? 0))
  }

  /**
   * Begins a call, which then has to tell how it went. Undefined when it is not let through: the circuit is open, or
   * half open and somebody else is trying.
   */
  begin(key: CircuitKey): Attempt | undefined {
    if (!this.mayCall(key)) return undefined
    const now = this.#now()
    const line = this.#line(key)
    const vendor = this.#vendor(key.provider)
    const turn = line.circuit.begin(now)
    const vendorTurn = vendor.circuit.begin(now)
    let isHeard = false
    const tell = (signal: Signal, retryAfterSeconds?: number) => {
      if (isHeard) return
      isHeard = true
      const word = { signal, atLeastMs: (retryAfterSeconds ?? 0) * 1_000, now: this.#now() }
      if (turn === line.circuit.turn) hear(line, word)
      if (vendorTurn === vendor.circuit.turn) hearVendor(vendor, line, word)
    }
    return { slow: () => tell('failed'), end: tell }
  }

  /** Takes word of what no call of ours is waiting for, such as a receipt. It counts only while the circuit is closed. */
  report(key: CircuitKey, signal: Signal): void {
    const line = this.#line(key)
    const vendor = this.#vendor(key.provider)
    const word = { signal, atLeastMs: 0, now: this.#now() }
    if (line.circuit.state === 'closed') hear(line, word)
    if (vendor.circuit.state === 'closed') hearVendor(vendor, line, word)
  }

  /** Closes circuits that nobody has wanted to use for ten minutes; to be called now and then. */
  forgetOld(): void {
    const now = this.#now()
    for (const { circuit } of [...this.#lines.values(), ...this.#vendors.values()]) {
      if (circuit.isOld(now)) circuit.close(now)
    }
  }

  /** Every circuit that has been used of late, providers as a whole first. */
  states(): (CircuitKey & { readonly state: CircuitState })[] {
    const whole = [...this.#vendors].map(([provider, { circuit }]) => ({
      ...wholeOf(provider),
      state: circuit.state,
    }))
    return [
      ...whole,
      ...[...this.#lines.values()].map(({ key, circuit }) => ({ ...key, state: circuit.state })),
    ]
  }

  #line({ provider, country, sender }: CircuitKey): Line {
    const id = idOf({ provider, country, sender })
    return this.#lines.use(id, () => {
      const key = { provider, country, sender }
      const circuit = new Circuit(this.#random, (state) => this.#onChange(key, state))
      return { key, id, circuit, failures: 0, recent: [], lastOkAt: -Infinity }
    })
  }

  #vendor(provider: string): Vendor {
    let vendor = this.#vendors.get(provider)
    if (!vendor) {
      const circuit = new Circuit(this.#random, (state) => this.#onChange(wholeOf(provider), state))
      vendor = { circuit, failures: new Map(), down: new Set() }
      this.#vendors.set(provider, vendor)
    }
    return vendor
  }

  /** Time as it passes: a clock that is set back keeps no circuit open. */
  #now(): number {
    const now = this.#clock.now()
    if (now > this.#seenAt) this.#elapsedMs += now - this.#seenAt
    this.#seenAt = now
    return this.#elapsedMs
  }
}

type Word = { readonly signal: Signal; readonly atLeastMs: number; readonly now: number }

function hear(line: Line, { signal, atLeastMs, now }: Word): void {
  const { circuit } = line
  if (signal === 'neutral') {
    if (circuit.state === 'half_open') circuit.again(now)
    return
  }
  const failed = signal !== 'ok'
  if (!failed) line.lastOkAt = now
  if (circuit.state === 'half_open') {
    if (failed) circuit.open(now, atLeastMs)
    else circuit.close(now)
    return
  }
  line.failures = failed ? line.failures + 1 : 0
  line.recent.push({ at: now, failed })
  if (line.recent.length > RECENT) line.recent.shift()
  if (!failed) return
  // One such word does not close off a provider that has just carried others' messages: some vendors say of a number
  // that it cannot be reached with our settings, and some throttle numbers.
  const isDrastic = signal === 'misconfigured' || atLeastMs > 0
  const isAtOnce = isDrastic && now - line.lastOkAt > RECENT_MS
  if (!isAtOnce && line.failures < FAILURES && !isHalfFailing(line.recent, now)) return
  // What was before says nothing about what will be after.
  line.failures = 0
  line.recent = []
  circuit.open(now, atLeastMs)
}

function isHalfFailing(recent: readonly Call[], now: number): boolean {
  const calls = recent.filter(({ at }) => now - at <= RECENT_MS)
  return calls.length >= ENOUGH && calls.filter(({ failed }) => failed).length * 2 >= calls.length
}

function hearVendor(
  { circuit, failures, down }: Vendor,
  { id, circuit: line }: Line,
  { signal, now }: Word,
): void {
  const isProbe = circuit.state === 'half_open'
  if (signal === 'neutral') {
    if (isProbe) circuit.again(now)
    return
  }
  const failed = signal !== 'ok'
  if (failed && !isProbe) {
    failures.set(id, Math.min(FAILURES, (failures.get(id) ?? 0) + 1))
    if (line.state !== 'closed') down.add(id)
    const inARow = [...failures.values()].reduce((sum, one) => sum + one, 0)
    if (down.size < KEYS_DOWN && inARow < FAILURES_ANYWHERE) return
  }
  failures.clear()
  down.clear()
  if (failed) circuit.open(now, 0)
  else if (isProbe) circuit.close(now)
}

function wholeOf(provider: string): CircuitKey {
  return { provider, country: '*', sender: null }
}

function idOf({ provider, country, sender }: CircuitKey): string {
  return `${provider}\n${country}\n${sender ?? ''}`
}
