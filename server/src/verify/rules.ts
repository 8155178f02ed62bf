import type { Counter, Rule, Taken } from '../limits/counters.ts'

/** The figures behind the rules; each is a setting. */
export type LimitSettings = {
  readonly sendsPerPhone: number
  readonly sendsPerPhoneWindowSeconds: number
  readonly sendsPerPhoneDay: number
  readonly wrongChecksPerPhoneDay: number
  readonly wrongChecksPerAddressDay: number
  readonly startsPerAddressHour: number
  readonly checksPerAddressHour: number
  readonly publishableStartsPerAddressHour: number
  readonly publishableChecksPerAddressHour: number
  readonly cooldownSeconds: number
  readonly cooldownMaxSeconds: number
}

/** Who asks: decides which rules apply. */
export type Caller = {
  readonly service: string
  /** The end user's address as a limiter key; absent when a backend named none. */
  readonly address?: string
  /** True for a browser's key, whose limits are stricter. */
  readonly publishable: boolean
  /** What else each start and each check of this caller is counted on, whatever comes of it. */
  readonly alsoCounted?: readonly Counter[]
}

const HOUR = 3_600
const DAY = 86_400

/** Every rule of starts, resends and checks, and the counters they lie over. */
export class Rules {
  readonly #settings: LimitSettings
  readonly #sends: readonly Rule[]
  readonly wrongChecks: Rule
  /** The name of the rule that makes a number wait between two messages. */
  readonly waitName = 'resend_cooldown'

  constructor(settings: LimitSettings) {
    this.#settings = settings
    this.#sends = [
      rule('sends_per_phone', settings.sendsPerPhone, settings.sendsPerPhoneWindowSeconds),
      rule('sends_per_phone_day', settings.sendsPerPhoneDay, DAY),
    ]
    this.wrongChecks = rule('wrong_checks_per_phone_day', settings.wrongChecksPerPhoneDay, DAY)
  }

  /** Seconds to wait after the n-th send of a verification: 30, 60, 120…, up to the longest. */
  cooldownSeconds(sends: number): number {
    const { cooldownSeconds, cooldownMaxSeconds } = this.#settings
    return Math.min(
      cooldownSeconds * 2 ** Math.max(0, sends - 1),
      Math.max(cooldownSeconds, cooldownMaxSeconds),
    )
  }

  /**
   * What a message to a number is counted on. The cool-down of a verification's n-th send (`sends`) holds whoever
   * asks and for whatever purpose; an approval (`approvedAt`) ends the wait for what was sent before it.
   */
  send(phone: string, sends: number, caller: Caller, approvedAt?: number): Counter[] {
    const wait = rule(this.waitName, 1, this.cooldownSeconds(sends))
    const since = approvedAt === undefined ? wait : { ...wait, since: approvedAt }
    const counters: Counter[] = [{ key: this.sendsKey(phone), rules: [since, ...this.#sends] }]
    if (caller.address !== undefined) counters.push(this.#starts(caller.address, caller.publishable))
    return [...counters, ...(caller.alsoCounted ?? [])]
  }

  /** The key of a number's messages. */
  sendsKey(phone: string): string {
    return `sends:${phone}`
  }

  /** What a number's limits look like now; the same counters as `send`, less the caller's. */
  phone(phone: string): Counter[] {
    return [{ key: this.sendsKey(phone), rules: this.#sends }]
  }

  /** What every check by an address is counted on. */
  check(caller: Caller): Counter[] {
    const { address, publishable, alsoCounted = [] } = caller
    if (address === undefined) return [...alsoCounted]
    const limit = publishable
      ? this.#settings.publishableChecksPerAddressHour
      : this.#settings.checksPerAddressHour
    return [
      ...alsoCounted,
      { key: counterKey('checks', publishable, address), rules: [rule('checks_per_address', limit, HOUR)] },
      {
        key: this.wrongKey(address),
        rules: [rule('wrong_checks_per_address', this.#settings.wrongChecksPerAddressDay, DAY)],
      },
    ]
  }

  /** The key of an address's wrong checks; a right one is given back. */
  wrongKey(address: string): string {
    return `wrong:${address}`
  }

  #starts(address: string, publishable: boolean): Counter {
    const limit = publishable
      ? this.#settings.publishableStartsPerAddressHour
      : this.#settings.startsPerAddressHour
    return {
      key: counterKey('starts', publishable, address),
      rules: [rule('starts_per_address', limit, HOUR)],
    }
  }
}

/** What of a hit is given back where nothing comes of it. */
export function returnable(taken: Taken | undefined, { alsoCounted = [] }: Caller): Taken | undefined {
  if (taken === undefined || alsoCounted.length === 0) return taken
  return { ...taken, keys: taken.keys.filter((key) => alsoCounted.every((counter) => counter.key !== key)) }
}

/** Browsers and backends are counted apart: a log is as long as its own rule's limit. */
function counterKey(what: string, publishable: boolean, address: string): string {
  return `${what}:${publishable ? 'pk:' : ''}${address}`
}

function rule(name: string, limit: number, windowSeconds: number): Rule {
  return { name, limit, windowSeconds }
}
