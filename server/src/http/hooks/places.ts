import { CountersignError } from '../../primitives/errors.ts'

/** The limit's name, in a refusal and in docs/limits.md. */
const LIMIT = 'receipts_per_address'

/** How many callbacks may be under way at once. */
export type Room = {
  /** Of one address, before their signature is checked. */
  readonly perAddress: number
  /** Of all addresses, before their signature is checked. */
  readonly unchecked: number
  /** With a good signature, until the store has them. */
  readonly checked: number
  /** Within this a place is free again, whatever its holder does. */
  readonly seconds: number
}

/** A callback's place; `release` may be called more than once. */
export type Place = {
  /** Its signature was checked: whatever it was, its address may send the next. */
  checked(): void
  release(): void
}

/**
 * Hands out the places of callbacks under way. Whoever has none to show but a header that looks like a signature gets
 * few; a place is free again as soon as the signature was checked, so that a vendor's burst, whose bodies come with
 * their heads, passes through few places.
 */
export class Places {
  readonly #room: Room
  readonly #byAddress = new Map<string, number>()
  #unchecked = 0
  #checked = 0

  constructor(room: Room) {
    this.#room = room
  }

  /** @throws CountersignError `rate_limited` where the address has none left, `overloaded` where nobody has. */
  take(address: string): Place {
    const { perAddress, unchecked, checked, seconds } = this.#room
    const held = this.#byAddress.get(address) ?? 0
    if (held >= perAddress) {
      throw new CountersignError('rate_limited', `Too many requests: the limit ${LIMIT} is spent`, {
        limit: LIMIT,
        policy: { limit: perAddress, windowSeconds: seconds },
        retryAfterSeconds: seconds,
      })
    }
    if (this.#unchecked >= unchecked || this.#checked >= checked) {
      throw new CountersignError('overloaded', 'Too many receipts are being taken at the moment', {
        retryAfterSeconds: seconds,
      })
    }
    this.#byAddress.set(address, held + 1)
    this.#unchecked += 1
    let state: 'unchecked' | 'checked' | 'free' = 'unchecked'
    const leaveAddress = () => {
      this.#unchecked -= 1
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left === 0) this.#byAddress.delete(address)
      else this.#byAddress.set(address, left)
    }
    return {
      checked: () => {
        if (state !== 'unchecked') return
        leaveAddress()
        this.#checked += 1
        state = 'checked'
      },
      release: () => {
        if (state === 'unchecked') leaveAddress()
        if (state === 'checked') this.#checked -= 1
        state = 'free'
      },
    }
  }
}
