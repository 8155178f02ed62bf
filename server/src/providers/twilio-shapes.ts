import type { Money } from '../messaging/price.ts'

/** The id of a message. */
export const MESSAGE_SID = /^(?:SM|MM)[0-9a-fA-F]{32}$/
/** The id of a call. */
export const CALL_SID = /^CA[0-9a-fA-F]{32}$/
/** The id of a verification of Twilio Verify. */
export const VERIFICATION_SID = /^VE[0-9a-fA-F]{32}$/

/** Twilio tells a charge as a negative amount, and only once the message has gone out or the call is over. */
export function priceOf(price: unknown, unit: unknown): Money | undefined {
  if (typeof price !== 'string' || typeof unit !== 'string') return undefined
  const amount = /^-?(\d{1,9}(?:\.\d{1,9})?)$/.exec(price)?.[1]
  return amount === undefined || !/^[a-z]{3}$/i.test(unit)
    ? undefined
    : { amount, currency: unit.toUpperCase() }
}
