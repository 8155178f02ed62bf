import { CountersignError, isCountersignError } from './errors.ts'
import { type HeldTokens, holdTokens } from './held-tokens.ts'
import type { CallOptions, ClientOptions } from './options.ts'
import { isFresh, makeRefresher } from './refresher.ts'
import { memoryTokens } from './token-stores.ts'
import type { CallName, Request, Transport } from './transport.ts'
import type { Calls, Tokens } from './wire.ts'
import type { SignedIn } from './words.ts'

/** Makes a call of the wire. */
export type CallFunction = <Name extends CallName>(
  name: Name,
  request?: Request<Name>,
  options?: CallOptions,
) => Promise<Calls[Name]['answer']>

/** Who is signed in, and the calls that are made for them. */
export type Session = Pick<HeldTokens, 'get' | 'isSignedIn' | 'forget' | 'onChange'> & {
  /** Makes a call for nobody. */
  readonly call: CallFunction
  /** Makes a call for who is signed in. */
  readonly callAsUser: CallFunction
  /** Keeps what a sign-in answered. */
  readonly adopt: (tokens: Tokens) => SignedIn
  readonly accessToken: (options?: CallOptions) => Promise<string | undefined>
  readonly refresh: (options?: CallOptions) => Promise<SignedIn>
  readonly signOut: (options?: CallOptions) => Promise<void>
}

/** Makes the session of a client. */
export function makeSession(transport: Transport, options: ClientOptions): Session {
  const store = options.tokens ?? memoryTokens()
  const held = holdTokens(store)
  const send = makeSender(transport, held)
  const { within } = transport
  const { renew, settled } = makeRefresher(
    held,
    (body) => within(undefined, (signal) => send('POST /api/auth/refresh', { body }, signal)),
    store.mode === 'memory' ? undefined : `countersign ${options.baseUrl}`,
  )
  const heldToken = () => held.get()?.accessToken ?? signedOut()
  const freshToken = async () => {
    if (!held.isSignedIn() && !held.inCookie) signedOut()
    if (!isFresh(held.get())) await renew()
    return heldToken()
  }
  return {
    get: held.get,
    isSignedIn: held.isSignedIn,
    forget: held.forget,
    onChange: held.onChange,
    call: (name, request = {}, call) =>
      within(call, async (signal) => {
        // The answer of a refresh that is under way would put its cookie in the place of that of a sign-in.
        if (held.inCookie) await settled()
        return send(name, request, signal)
      }),
    callAsUser: (name, request = {}, call) =>
      within(call, async (signal) => {
        const token = await freshToken()
        try {
          return await send(name, request, signal, token)
        } catch (error) {
          if (!isCountersignError(error) || error.code !== 'unauthorized') throw error
          // The token may have been changed already, for another call that was refused.
          if (held.get()?.accessToken === token) await renew()
          return send(name, request, signal, heldToken())
        }
      }),
    accessToken: (call) =>
      within(call, freshToken).catch((error: unknown) => {
        if (isCountersignError(error) && error.code === 'signed_out') return undefined
        throw error
      }),
    adopt: (tokens) => {
      held.keep(tokens, true)
      return { ...tokens, status: 'signed_in' }
    },
    refresh: (call) =>
      within(call, async () => {
        for (;;) {
          const signedIn = await renew()
          if (signedIn) return signedIn
        }
      }),
    signOut: async (call) => {
      const { refreshToken, accessToken } = held.get() ?? {}
      held.forget()
      if (!held.inCookie && !refreshToken && !accessToken) return
      const body = refreshToken ? { refresh_token: refreshToken } : undefined
      const token = refreshToken || held.inCookie ? undefined : accessToken
      await within(call, (signal) => send('POST /api/auth/logout', { body }, signal, token)).catch(orEnded)
    },
  }
}

/** Sends what this session's calls carry besides: the access token, and the header that cookies want. */
function makeSender({ send }: Transport, { inCookie }: HeldTokens) {
  return <Name extends CallName>(name: Name, request: Request<Name>, signal: AbortSignal, token?: string) => {
    const headers = {
      ...(inCookie ? { 'x-session-mode': 'cookie' } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    }
    return send(name, { ...request, credentials: inCookie ? 'include' : undefined, headers }, signal)
  }
}

function signedOut(): never {
  throw new CountersignError('signed_out')
}

/** It had ended already, which is what was wanted. */
function orEnded(error: unknown): void {
  if (!isCountersignError(error) || error.status !== 401) throw error
}
