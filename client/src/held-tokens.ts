import type { Saved, TokenStore } from './token-stores.ts'
import type { Tokens } from './wire.ts'

/** Whether somebody is signed in. */
export type SessionState = { readonly signedIn: boolean }

/** The tokens of who is signed in, and those who want to know when that changes. */
export type HeldTokens = {
  readonly inCookie: boolean
  readonly get: () => Saved | undefined
  readonly isSignedIn: () => boolean
  /** Goes up with each sign-in and sign-out, so that a refresh that was under way does not undo it. */
  readonly epoch: () => number
  /** Keeps what a sign-in or a refresh answered. */
  readonly keep: (tokens: Tokens, isSignIn?: boolean) => void
  /** Forgets everything but the device. */
  readonly forget: () => void
  readonly onChange: (listener: (state: SessionState) => void) => () => void
}

/** Makes it of a store. */
export function holdTokens(store: TokenStore): HeldTokens {
  const inCookie = store.mode === 'cookie'
  const listeners = new Set<(state: SessionState) => void>()
  let stopHearing: (() => void) | undefined
  let epoch = 0
  const isSignedIn = () => {
    const saved = store.get()
    return saved !== undefined && (inCookie || Boolean(saved.accessToken ?? saved.refreshToken))
  }
  let told = isSignedIn()
  const tell = (force?: boolean) => {
    const signedIn = isSignedIn()
    if (signedIn === told && !force) return
    told = signedIn
    for (const listener of listeners) listener({ signedIn })
  }
  return {
    inCookie,
    get: () => store.get(),
    isSignedIn,
    epoch: () => epoch,
    keep: ({ access_token, expires_in, refresh_token, device_token }, isSignIn) => {
      if (isSignIn) epoch++
      store.set({
        accessToken: access_token,
        expiresAt: Date.now() + expires_in * 1000,
        refreshToken: refresh_token,
        deviceToken: device_token ?? store.get()?.deviceToken,
      })
      tell(isSignIn)
    },
    forget: () => {
      epoch++
      const deviceToken = store.get()?.deviceToken
      store.set(deviceToken ? { deviceToken } : undefined)
      tell()
    },
    onChange: (listener) => {
      // One function may be given twice, and each is stopped by itself.
      const own = (state: SessionState) => listener(state)
      if (listeners.size === 0) told = isSignedIn()
      listeners.add(own)
      stopHearing ??= store.onChange?.(() => {
        if (isSignedIn() !== told) epoch++
        tell()
      })
      return () => {
        listeners.delete(own)
        if (listeners.size > 0) return
        stopHearing?.()
        stopHearing = undefined
      }
    },
  }
}
