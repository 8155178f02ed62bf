import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '../primitives/errors.ts'
import type { VerifyStore } from './store.ts'

const LEASE_SECONDS = 30
const POLL_MS = 50
/** How long a second request waits for the first one's answer. */
const WAIT_MS = 10_000

/** What a request that is sent more than once is done with. */
type Once<T> = {
  /** Scope and key: one caller's keys never meet another's. */
  readonly key: string
  /** A digest of the whole request: the same key with another request is a mistake of the caller's. */
  readonly fingerprint: string
  readonly keepSeconds: number
  /** Does the work; called at most once between all processes while the first is alive. */
  readonly run: () => Promise<T>
  /** Answers for a first try that died after it had opened its verification. */
  readonly recover: (verificationId: string) => Promise<T>
}

/**
 * Runs a request once however often it is sent, and gives every sender the same answer. A refusal is not kept:
 * nothing happened, so the caller may try again with the same key.
 *
 * Throws `idempotency_conflict` when the key came with another request before, and `idempotency_in_progress`
 * when the first one is still under way after ten seconds.
 */
export async function once<T>(store: VerifyStore, request: Once<T>): Promise<T> {
  for (let waited = 0; ; waited += POLL_MS) {
    const claim = await store.claim(request.key, request.fingerprint, {
      leaseSeconds: LEASE_SECONDS,
      keepSeconds: request.keepSeconds,
    })
    switch (claim.state) {
      case 'done':
        return JSON.parse(claim.answer) as T
      case 'mine':
        return settle(store, request.key, request.run)
      case 'opened': {
        // Whatever goes wrong here, the claim stays: it alone knows that a verification was opened.
        const answer = await request.recover(claim.verificationId)
        await store.settleClaim(request.key, JSON.stringify(answer))
        return answer
      }
      case 'conflict':
        throw new CountersignError(
          'idempotency_conflict',
          'This Idempotency-Key was used with another request',
        )
      case 'busy':
        if (waited >= WAIT_MS) {
          throw new CountersignError(
            'idempotency_in_progress',
            'The first request with this Idempotency-Key is still under way',
            { retryAfterSeconds: 1 },
          )
        }
        await sleep(POLL_MS)
    }
  }
}

async function settle<T>(store: VerifyStore, key: string, run: () => Promise<T>): Promise<T> {
  let answer: T
  try {
    answer = await run()
  } catch (error) {
    // A store that did not answer may have opened the verification all the same.
    const unlessOpened = !(error instanceof CountersignError) || error.code === 'store_unavailable'
    // Where this fails too the claim ends with its lease. The caller is told the first error.
    await store.releaseClaim(key, { unlessOpened }).catch(() => {})
    throw error
  }
  await store.settleClaim(key, JSON.stringify(answer))
  return answer
}
