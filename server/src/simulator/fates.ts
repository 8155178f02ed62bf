import { ELSEWHERE, SOMEBODY_ELSE, type Answer, type Manner } from './answers.ts'
import type { Carrier } from './carrier.ts'
import { fateOf, type Api, type End, type Fate } from './magic.ts'
import { Refusal } from './refusals.ts'
import type { Failure, Receipts } from './settings.ts'

const COUNTED_MAX = 10_000
/** Seconds after which a throttled client is asked to come again. */
export const AGAIN_SECONDS = 1

/** How a message or a call that is taken goes on. */
export type Course = {
  readonly manner: Manner | undefined
  readonly receipts: Receipts
  readonly message: End | undefined
  readonly call: End | undefined
}

/** A request that something else answers than the interface. Thrown; nothing was taken. */
export class Diverted extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('diverted')
    this.name = 'Diverted'
    this.answer = answer
  }
}

/** Decides what becomes of each message, call and verification. */
export class Fates {
  readonly #carrier: Carrier
  /** Of numbers that refuse a few times: how often they have. */
  readonly #refused = new Map<string, number>()

  constructor(carrier: Carrier) {
    this.#carrier = carrier
    carrier.onReset(() => this.#refused.clear())
  }

  /** Lets a request to a number in, with the course of what it asks for. @throws Refusal or Diverted. */
  admit(number: string, api: Api): Course {
    const { settings } = this.#carrier
    const fate = settings.magic ? fateOf(number, api) : undefined
    if (fate !== undefined) this.#stop(number, fate)
    const failure = this.#failure()
    const isUndelivered = this.#falls('undelivered')
    return {
      manner: fate?.manner ?? failure,
      receipts: fate?.receipts ?? settings.receipts,
      message: fate?.message ?? (isUndelivered ? { status: 'undelivered', error: 30003 } : undefined),
      call: fate?.call,
    }
  }

  /** Throws where a number's fate is that nothing is taken. */
  #stop(number: string, { refuse, times, instead, manner }: Fate): void {
    if (instead !== undefined) throw new Diverted(instead === 'html' ? SOMEBODY_ELSE : ELSEWHERE)
    if (manner === 'reset' || manner === 'hang') throw new Diverted({ status: 503, manner })
    if (refuse === undefined || (times !== undefined && this.#isThrough(number, times))) return
    throw new Refusal(refuse, refuse === 60200 ? 'To' : number, refuse === 20429 ? AGAIN_SECONDS : undefined)
  }

  /** Counts a refusal; the one after so many is let through, and the count begins again. */
  #isThrough(number: string, times: number): boolean {
    const refused = this.#refused.get(number) ?? 0
    if (refused >= times) return this.#refused.delete(number)
    if (this.#refused.size >= COUNTED_MAX) this.#refused.clear()
    this.#refused.set(number, refused + 1)
    return false
  }

  /** Draws once for all failures of requests, so that their shares add up. */
  #failure(): 'lost' | undefined {
    const { failures } = this.#carrier.settings
    let left = this.#carrier.dice.roll()
    for (const failure of ['throttled', 'error', 'unavailable', 'reset', 'lost'] as const) {
      left -= failures[failure]
      if (left >= 0) continue
      if (failure === 'throttled') throw new Refusal(20429, '', AGAIN_SECONDS)
      if (failure === 'error') throw new Refusal(20500)
      if (failure === 'unavailable') throw new Refusal(20503)
      if (failure === 'reset') throw new Diverted({ status: 503, manner: 'reset' })
      return 'lost'
    }
    return undefined
  }

  #falls(failure: Failure): boolean {
    return this.#carrier.dice.roll() < this.#carrier.settings.failures[failure]
  }
}
