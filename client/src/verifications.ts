import { isCountersignError } from './errors.ts'
import type { CallOptions, ClientOptions } from './options.ts'
import type { CallName, Request, Transport } from './transport.ts'
import type { Calls, CheckedVerification, StartedVerification, Verification } from './wire.ts'
import type { Channel, PhoneLookup, Purpose } from './words.ts'

/** Verify that a person has a number: `/v1/verifications`. */
export type Verifications = {
  /**
   * Sends a code, or the same one again where a verification of the number is pending. A call whose answer was lost is
   * repeated once, under the same idempotency key, so that no second message is sent.
   */
  start(
    input: {
      /** E.164, or national with `country`. */
      to: string
      country?: string | undefined
      channel?: Channel | undefined
      purpose?: Purpose | undefined
      locale?: string | undefined
      /** Comes back in the proof. */
      nonce?: string | undefined
      metadata?: Record<string, string> | undefined
    },
    options?: CallOptions,
  ): Promise<StartedVerification>
  /** Sends the code again, not before `resend_at`. */
  resend(id: string, input?: { channel?: Channel | undefined }, options?: CallOptions): Promise<Verification>
  /** Checks a code. A wrong or late one is an answer, with `valid: false` and a `reason`, and no error. */
  check(id: string, code: string, options?: CallOptions): Promise<CheckedVerification>
  get(id: string, options?: CallOptions): Promise<Verification>
  /** Ends a pending one; the server wants a secret key for it. */
  cancel(id: string, options?: CallOptions): Promise<Verification>
}

/** Read a number: `/v1/phones`. */
export type Phones = {
  lookup(phone: string, country?: string, options?: CallOptions): Promise<PhoneLookup>
}

/** How long a start waits before it is repeated, so that the one before is over. */
const PAUSE_MS = 300

/** Makes the part of a client that a publishable key is for. */
export function makeVerifications(
  transport: Transport,
  { publishableKey, locale }: ClientOptions,
): { verifications: Verifications; phones: Phones } {
  const key: Record<string, string> = publishableKey ? { authorization: `Bearer ${publishableKey}` } : {}
  const call = <Name extends CallName>(
    name: Name,
    request: Request<Name>,
    options?: CallOptions,
  ): Promise<Calls[Name]['answer']> =>
    transport.within(options, (signal) => transport.send(name, { headers: key, ...request }, signal))
  return {
    verifications: {
      start: (input, options) =>
        transport.within(options, async (signal) => {
          const headers = { ...key, 'idempotency-key': options?.idempotencyKey ?? makeKey() }
          const send = () =>
            transport.send(
              'POST /v1/verifications',
              { headers, body: { ...input, locale: input.locale ?? locale } },
              signal,
            )
          try {
            return await send()
          } catch (error) {
            if (!isCountersignError(error) || error.code !== 'network') throw error
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
            return send()
          }
        }),
      resend: (id, body, options) => call('POST /v1/verifications/{id}/resend', { id, body }, options),
      check: (id, code, options) =>
        call('POST /v1/verifications/{id}/check', { id, body: { code } }, options),
      get: (id, options) => call('GET /v1/verifications/{id}', { id }, options),
      cancel: (id, options) => call('POST /v1/verifications/{id}/cancel', { id }, options),
    },
    phones: {
      lookup: (phone, country, options) =>
        call('POST /v1/phones/lookup', { body: { phone, country } }, options),
    },
  }
}

/** Random enough that no two are the same. `randomUUID` is not there on a page over plain HTTP. */
function makeKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')
}
