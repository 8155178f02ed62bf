import { type Auth, makeAuth } from './auth.ts'
import type { ClientOptions } from './options.ts'
import { makeSession } from './session.ts'
import { makeTransport } from './transport.ts'
import { makeVerifications, type Phones, type Verifications } from './verifications.ts'

/** Calls a Countersign server. Every call fails with a `CountersignError` and with nothing else. */
export type Client = {
  readonly verifications: Verifications
  readonly phones: Phones
  readonly auth: Auth
  /** The server's clock minus this device's, in ms, from the `Date` of its answers; 0 before the first. */
  readonly clockOffsetMs: number
  /** The server's time now, in ms since 1970: what countdowns go by. */
  now(): number
}

/** Makes a client. It calls nothing, and stores nothing, before it is told to. */
export function createClient(options: ClientOptions): Client {
  // A secret key in a page is everybody's: better that it never works there than that it is found out late.
  if (options.publishableKey?.startsWith('sk_') && typeof document !== 'undefined')
    throw new TypeError('A secret key must not be in a page: use a publishable one')
  const transport = makeTransport(options)
  const clockOffsetMs = () => transport.clock.offsetMs()
  return {
    ...makeVerifications(transport, options),
    auth: makeAuth(makeSession(transport, options), options),
    get clockOffsetMs() {
      return clockOffsetMs()
    },
    now: () => Date.now() + clockOffsetMs(),
  }
}
