import { CountersignError, isCountersignError } from './errors.ts'
import type { HeldTokens } from './held-tokens.ts'
import { inOneTab } from './one-tab.ts'
import type { Saved } from './token-stores.ts'
import type { Calls, Tokens } from './wire.ts'
import type { SignedIn } from './words.ts'

/** Makes the call of a refresh, in its own time. */
type CallRefresh = (body: Calls['POST /api/auth/refresh']['body'] | undefined) => Promise<Tokens>

/** Changes tokens for new ones; one refresh is under way at a time, for however many calls wait for it. */
export type Refresher = {
  /** Resolves with undefined where another tab has refreshed meanwhile, and its tokens are held. */
  readonly renew: () => Promise<SignedIn | undefined>
  /** Resolves when none is under way. */
  readonly settled: () => Promise<unknown>
}

/** An access token is changed for another so long before it ends. */
const EARLY_MS = 10_000

/** Whether there is an access token that is good for some seconds more. */
export function isFresh(saved: Saved | undefined): saved is Saved & { accessToken: string } {
  return Boolean(saved?.accessToken) && (saved?.expiresAt ?? Infinity) - EARLY_MS > Date.now()
}

/** Makes the refresher of a session; `lock` is what its tabs share, undefined where each has tokens of its own. */
export function makeRefresher(held: HeldTokens, call: CallRefresh, lock: string | undefined): Refresher {
  let flight: Promise<SignedIn | undefined> | undefined
  return {
    renew: () => {
      const before = held.get()
      const run = () => refresh(held, call, before)
      flight ??= (lock === undefined ? run() : inOneTab(lock, run)).finally(() => {
        flight = undefined
      })
      return flight
    },
    settled: async () => flight?.catch(() => {}),
  }
}

async function refresh(
  held: HeldTokens,
  call: CallRefresh,
  before: Saved | undefined,
): Promise<SignedIn | undefined> {
  const saved = held.get()
  if (isFresh(saved) && saved.accessToken !== before?.accessToken) return undefined
  const refreshToken = saved?.refreshToken
  if (!held.inCookie && !refreshToken) throw new CountersignError('signed_out')
  const began = held.epoch()
  const isCurrent = () => held.epoch() === began && held.get()?.refreshToken === refreshToken
  /** Another tab may be quicker to refresh than storage is to tell of it; or here somebody signed out, or another in. */
  const overtaken = (facts?: Pick<CountersignError, 'status' | 'problem'>) => {
    if (held.epoch() === began && held.isSignedIn()) return undefined
    throw new CountersignError('signed_out', facts)
  }
  try {
    const tokens = await call(refreshToken ? { refresh_token: refreshToken } : undefined)
    if (!isCurrent()) return overtaken()
    held.keep(tokens)
    return { ...tokens, status: 'signed_in' }
  } catch (error) {
    // Whatever else fails says nothing of the session: it may be good when the network is back.
    if (!isCountersignError(error) || error.status !== 401) throw error
    if (!isCurrent()) return overtaken(error)
    held.forget()
    throw new CountersignError('signed_out', { status: error.status, problem: error.problem })
  }
}
