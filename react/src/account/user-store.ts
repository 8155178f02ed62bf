import { type Client, type CountersignError, isCountersignError, type User } from '@countersign/client'

/**
 * What is known of who is signed in. `failed`: it could not be asked, as without a network; the error says why.
 */
export type UserState =
  | { readonly status: 'loading'; readonly user: undefined; readonly error: undefined }
  | { readonly status: 'signed_in'; readonly user: User; readonly error: undefined }
  | { readonly status: 'signed_out'; readonly user: undefined; readonly error: undefined }
  | { readonly status: 'failed'; readonly user: undefined; readonly error: CountersignError }

/** One for each client, so that every component sees the same user and one request asks for them. */
export type UserStore = {
  readonly get: () => UserState
  readonly subscribe: (listener: () => void) => () => void
  /** Asks the server again. What is shown stays until it answers. */
  readonly load: () => Promise<void>
  /** Takes a user that a call has answered. */
  readonly set: (user: User) => void
}

export const LOADING: UserState = { status: 'loading', user: undefined, error: undefined }
const SIGNED_OUT: UserState = { status: 'signed_out', user: undefined, error: undefined }

const STORES = new WeakMap<Client, UserStore>()

/** The store of a client. */
export function userStore(client: Client): UserStore {
  const known = STORES.get(client)
  if (known !== undefined) return known
  const made = makeStore(client)
  STORES.set(client, made)
  return made
}

function makeStore(client: Client): UserStore {
  let state = LOADING
  let isWatching = false
  /** Answers that were asked for before something newer was known are dropped. */
  let turn = 0
  const listeners = new Set<() => void>()

  const change = (next: UserState) => {
    turn += 1
    state = next
    for (const listener of listeners) listener()
  }
  const load = async () => {
    turn += 1
    const mine = turn
    const next = await ask(client, state)
    if (mine === turn) change(next)
  }
  const watch = () => {
    if (isWatching) return
    isWatching = true
    client.auth.onChange(({ signedIn }) => {
      if (signedIn) void load()
      else change(SIGNED_OUT)
    })
    void load()
  }
  return {
    get: () => state,
    subscribe(listener) {
      listeners.add(listener)
      watch()
      return () => listeners.delete(listener)
    },
    load,
    set: (user) => change({ status: 'signed_in', user, error: undefined }),
  }
}

async function ask(client: Client, before: UserState): Promise<UserState> {
  try {
    const user = client.auth.isSignedIn ? await client.auth.me() : await client.auth.restore()
    return user === undefined ? SIGNED_OUT : { status: 'signed_in', user, error: undefined }
  } catch (error) {
    if (!isCountersignError(error)) throw error
    if (error.status === 401 || error.code === 'signed_out') return SIGNED_OUT
    // Somebody who is signed in stays so while the network is away.
    return before.status === 'signed_in' ? before : { status: 'failed', user: undefined, error }
  }
}
