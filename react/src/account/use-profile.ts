import type { User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import { type StepUp, useStepUp } from './use-step-up.ts'
import { useUser } from './use-user.ts'
import { userStore } from './user-store.ts'

/** Name and e-mail of who is signed in, without any looks. */
export type UseProfile = {
  readonly user: User | undefined
  /** The e-mail that they gave; undefined for the one that is made of the number. */
  readonly email: string | undefined
  /** Null takes one away. */
  readonly save: Action<[input: { name: string | null; email: string | null }], boolean>
}

/** Changes name and e-mail. */
export function useProfile(): UseProfile {
  const { client } = useCountersign()
  const { user } = useUser()
  const email = ownEmail(user)
  const save = useAction(async (signal, input: { name: string | null; email: string | null }) => {
    const changed = {
      ...(input.name === (user?.name ?? null) ? {} : { name: input.name }),
      ...(input.email === (email ?? null) ? {} : { email: input.email }),
    }
    if (Object.keys(changed).length > 0) {
      userStore(client).set(await client.auth.updateMe(changed, { signal }))
    }
    return true
  })
  return { user, email, save }
}

/** The e-mail that a user gave. Who gave none has one that is made of the number, and is nobody's to write to. */
export function ownEmail(user: User | undefined): string | undefined {
  const email = user?.email ?? undefined
  return email === undefined || /^\+\d+@example\.com$/.test(email) ? undefined : email
}

/** A change of password, without any looks. */
export type UseChangePassword = {
  readonly user: User | undefined
  readonly change: Action<[input: { current: string; password: string }], boolean>
  /** What the server wants to be shown again, in between. */
  readonly stepUp: StepUp
}

/** Changes the password of who is signed in, and ends their other sessions. */
export function useChangePassword(): UseChangePassword {
  const { client } = useCountersign()
  const { user } = useUser()
  const stepUp = useStepUp()
  const change = useAction(async (_signal, input: { current: string; password: string }) => {
    const body = { current_password: input.current, password: input.password }
    const done = await stepUp.guard(async () => {
      await client.auth.changePassword(body)
      return true
    })
    return done ?? false
  })
  return { user, change, stepUp }
}
