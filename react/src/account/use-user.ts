import { useCallback, useSyncExternalStore } from 'react'

import { useCountersign } from '../provider.tsx'
import { LOADING, userStore, type UserState } from './user-store.ts'

/** Who is signed in, and what can be done about it. */
export type UseUser = UserState & {
  /** Asks the server again, as after a change that was made without these components. */
  readonly reload: () => Promise<void>
  /** Signs out here. The user is signed out at once in any case; an error says that the server was not told. */
  readonly signOut: () => Promise<void>
}

/** Who is signed in with the provider's client. On a server, and until it is known, `status` is `loading`. */
export function useUser(): UseUser {
  const { client } = useCountersign()
  const store = userStore(client)
  const state = useSyncExternalStore(store.subscribe, store.get, () => LOADING)
  const signOut = useCallback(() => client.auth.logout(), [client])
  return { ...state, reload: store.load, signOut }
}
