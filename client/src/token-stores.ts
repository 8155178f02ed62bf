/** What is kept of a sign-in. `expiresAt` is the end of the access token by this device's clock, ms since 1970. */
export type Saved = {
  accessToken?: string | undefined
  expiresAt?: number | undefined
  refreshToken?: string | undefined
  /** Spares this device the second factor; it stays when the person signs out. */
  deviceToken?: string | undefined
}

/** Where tokens live. With `mode` `cookie` the server keeps the refresh token in a cookie that no script can read. */
export type TokenStore = {
  readonly mode: 'memory' | 'cookie' | 'storage'
  get(): Saved | undefined
  set(saved: Saved | undefined): void
  /** Calls back when another tab changed what is kept; gives a function that stops it. */
  onChange?(listener: () => void): () => void
}

/** What tabs with cookies tell each other on: whether somebody is signed in. */
const CHANNEL = 'countersign'

/** Keeps tokens as long as the page or the process lives. */
export function memoryTokens(): TokenStore {
  let held: Saved | undefined
  return {
    mode: 'memory',
    get: () => held,
    set: (saved) => {
      held = saved
    },
  }
}

/**
 * Keeps the access token in memory and leaves the others to cookies that no script can read. The page must be of the
 * same site as the server, and its origin named in the server's `CORS_ORIGINS` unless it is the server's own.
 */
export function cookieTokens(): TokenStore {
  let held: Saved | undefined
  // A channel does not hear itself, so it is one that speaks and hears.
  let channel: BroadcastChannel | undefined
  return {
    mode: 'cookie',
    get: () => held,
    set: (saved) => {
      const wasSignedIn = held !== undefined
      held = saved
      const isSignedIn = saved !== undefined
      if (wasSignedIn === isSignedIn || typeof BroadcastChannel !== 'function') return
      const speaker = channel ?? new BroadcastChannel(CHANNEL)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is of one origin
      speaker.postMessage(isSignedIn)
      if (speaker !== channel) speaker.close()
    },
    onChange: (listener) => {
      if (typeof BroadcastChannel !== 'function') return () => {}
      channel = new BroadcastChannel(CHANNEL)
      channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
        // Signed in elsewhere, the cookie is there, and an access token is asked for when one is needed.
        held = data === true ? (held ?? {}) : undefined
        listener()
      })
      return () => {
        channel?.close()
        channel = undefined
      }
    },
  }
}

/**
 * Keeps tokens in `localStorage`, or the storage given, over reloads and for all tabs. Any script of the page can read
 * them. Where there is no storage, or it refuses, they are in memory.
 */
export function storageTokens(
  storage: Storage | undefined = browserStorage(),
  key = 'countersign',
): TokenStore {
  const memory = memoryTokens()
  let usable = storage
  return {
    mode: 'storage',
    get: () => {
      if (!usable) return memory.get()
      try {
        return parse(usable.getItem(key))
      } catch {
        usable = undefined
        return memory.get()
      }
    },
    set: (saved) => {
      memory.set(saved)
      try {
        if (saved) usable?.setItem(key, JSON.stringify(saved))
        else usable?.removeItem(key)
      } catch {
        usable = undefined
      }
    },
    onChange: (listener) => {
      if (typeof window === 'undefined') return () => {}
      const hear = (event: StorageEvent) => {
        // Without a key everything was cleared.
        if (event.storageArea === usable && (event.key === key || event.key === null)) listener()
      }
      window.addEventListener('storage', hear)
      return () => window.removeEventListener('storage', hear)
    },
  }
}

/** Reading the property alone throws where a page may store nothing. */
function browserStorage(): Storage | undefined {
  try {
    return typeof window === 'undefined' ? undefined : window.localStorage
  } catch {
    return undefined
  }
}

/** Whatever else lies under the key is as good as nothing. */
function parse(text: string | null): Saved | undefined {
  try {
    const saved: unknown = JSON.parse(text ?? 'null')
    return typeof saved === 'object' && saved !== null ? saved : undefined
  } catch {
    return undefined
  }
}
