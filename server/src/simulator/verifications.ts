import { randomInt } from 'node:crypto'
import type { Clock } from '../primitives/clock.ts'
import { KEPT_MAX, type Channel } from './phones.ts'
import { makeSid } from './sids.ts'

/** Twilio's own: a code lives ten minutes, is sent five times at most and guessed wrongly five times at most. */
const LIFE_MS = 600_000
const SENDS_MAX = 5
const CHECKS_MAX = 5

/** One verification, as the Verify API keeps it. */
export type Verification = {
  readonly sid: string
  readonly serviceSid: string
  readonly to: string
  readonly code: string
  channel: Channel
  status: 'pending' | 'approved' | 'canceled'
  wrong: number
  readonly sends: { readonly at: number; readonly channel: Channel; readonly sid: string }[]
  readonly createdAt: number
  updatedAt: number
}

/** What came of a guess. */
export type Guess = 'right' | 'wrong' | 'too_many'

/** Every verification. Bounded, and in memory alone. */
export class Verifications {
  readonly #clock: Clock
  readonly #bySid = new Map<string, Verification>()
  readonly #pending = new Map<string, Verification>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  clear(): void {
    this.#bySid.clear()
    this.#pending.clear()
  }

  /** One that may still be approved, by its number. */
  pending(serviceSid: string, to: string): Verification | undefined {
    const found = this.#pending.get(serviceSid + to)
    return found !== undefined && this.#isOpen(found) ? found : undefined
  }

  /** One that can still be asked for: pending, or canceled. */
  find(serviceSid: string, sid: string): Verification | undefined {
    const found = this.#bySid.get(sid)
    if (found?.serviceSid !== serviceSid) return undefined
    return found.status === 'canceled' || this.#isOpen(found) ? found : undefined
  }

  /** Begins one. The code is drawn unless the caller brings it. */
  open(
    serviceSid: string,
    to: string,
    channel: Channel,
    code: { length: number; custom: string | undefined },
  ) {
    const now = this.#clock.now()
    const verification: Verification = {
      sid: makeSid('VE'),
      serviceSid,
      to,
      code: code.custom ?? draw(code.length),
      channel,
      status: 'pending',
      wrong: 0,
      sends: [],
      createdAt: now,
      updatedAt: now,
    }
    if (this.#bySid.size >= KEPT_MAX) this.#forget()
    this.#bySid.set(verification.sid, verification)
    this.#pending.set(serviceSid + to, verification)
    return verification
  }

  /** Why a code may not be sent again; undefined when it may. */
  refusal({ sends, wrong }: Verification): 'sends' | 'checks' | undefined {
    if (wrong >= CHECKS_MAX) return 'checks'
    return sends.length >= SENDS_MAX ? 'sends' : undefined
  }

  /** Writes a send down. */
  sent(verification: Verification, channel: Channel): void {
    const at = this.#clock.now()
    verification.channel = channel
    verification.updatedAt = at
    verification.sends.push({ at, channel, sid: makeSid('VL') })
  }

  guess(verification: Verification, code: string): Guess {
    if (verification.wrong >= CHECKS_MAX) return 'too_many'
    verification.updatedAt = this.#clock.now()
    if (verification.code !== code) {
      verification.wrong++
      return 'wrong'
    }
    this.end(verification, 'approved')
    return 'right'
  }

  end(verification: Verification, status: 'approved' | 'canceled'): void {
    verification.status = status
    verification.updatedAt = this.#clock.now()
    this.#pending.delete(verification.serviceSid + verification.to)
  }

  #isOpen({ status, createdAt }: Verification): boolean {
    return status === 'pending' && this.#clock.now() < createdAt + LIFE_MS
  }

  #forget(): void {
    const [oldest] = this.#bySid.values()
    if (oldest === undefined) return
    this.#bySid.delete(oldest.sid)
    const key = oldest.serviceSid + oldest.to
    if (this.#pending.get(key) === oldest) this.#pending.delete(key)
  }
}

function draw(length: number): string {
  return String(randomInt(10 ** length)).padStart(length, '0')
}
