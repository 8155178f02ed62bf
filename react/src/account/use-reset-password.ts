import { useState } from 'react'
import { isCountersignError, type SecondFactorRequired, type User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import type { Kept } from './kept.ts'
import { assumedResendAt, useSentCode } from './use-sent-code.ts'
import { userStore } from './user-store.ts'

/** A reset of a password by phone, without any looks. */
export type UseResetPassword = {
  readonly step: 'start' | 'code' | 'password' | 'second_factor' | 'done'
  readonly sent: Kept | undefined
  readonly lastPhone: string | undefined
  readonly requestCode: Action<[input: { phone: string }], void>
  /** True where it was sent. */
  readonly resend: Action<[], boolean>
  readonly checkCode: Action<[code: string], void>
  readonly setPassword: Action<[password: string], void>
  readonly changeNumber: () => void
  /** Of the sign-in that follows. */
  readonly challenge: SecondFactorRequired | undefined
  readonly passed: (user: User) => void
  /** The second factor is not shown now: the password is set all the same. */
  readonly leave: () => void
  /** Who is signed in with the new password; undefined where that has to be done by hand. */
  readonly user: User | undefined
  /** True where setting the password took longer than the token of it lasts, and it all starts again. */
  readonly isEnded: boolean
}

type Then = {
  readonly token?: string
  readonly phone?: string
  readonly challenge?: SecondFactorRequired
  readonly user?: User | undefined
  readonly isDone?: boolean
  readonly isEnded?: boolean
}

/** Sets a new password with a code to the number, and signs in with it. */
export function useResetPassword(
  options: { onSignedIn?: ((user: User) => void) | undefined } = {},
): UseResetPassword {
  const { client } = useCountersign()
  const [then, setThen] = useState<Then>({})
  const code = useSentCode<{ phone: string }>({
    name: 'reset',
    isSameAgain: true,
    start: async ({ phone }, signal) => {
      await client.auth.requestPasswordReset(phone, { signal })
      return { phone, resendAt: assumedResendAt(client) }
    },
    resend: async (kept, signal) => {
      await client.auth.requestPasswordReset(kept.phone, { signal })
      return { ...kept, resends: (kept.resends ?? 0) + 1, resendAt: assumedResendAt(client, kept) }
    },
  })
  const passed = (user: User) => {
    userStore(client).set(user)
    setThen({ isDone: true, user })
    options.onSignedIn?.(user)
  }
  const checkCode = useAction(async (signal, digits: string) => {
    if (code.sent === undefined) return
    const { phone } = code.sent
    const { reset_token: token } = await client.auth.verifyPasswordReset(phone, digits, { signal })
    code.forget()
    setThen({ token, phone })
  })
  const setPassword = useAction(async (signal, password: string) => {
    const { token, phone } = then
    if (token === undefined || phone === undefined) return
    try {
      await client.auth.resetPassword({ reset_token: token, password }, { signal })
    } catch (error) {
      if (!isCountersignError(error) || error.field !== 'reset_token') throw error
      setThen({ isEnded: true })
      return
    }
    setThen({ isDone: true })
    // The password is set whatever comes of this: who cannot be signed in here does it by hand.
    const result = await client.auth.login({ identifier: phone, password }, { signal }).catch(() => undefined)
    if (result?.status === 'second_factor_required') setThen({ challenge: result })
    else if (result !== undefined) passed(result.user)
  })
  return {
    step: stepOf(then, code.sent),
    sent: code.sent,
    lastPhone: code.last ?? then.phone,
    requestCode: code.request,
    resend: code.resend,
    checkCode,
    setPassword,
    changeNumber: code.change,
    challenge: then.challenge,
    passed,
    leave: () => setThen({ isDone: true }),
    user: then.user,
    isEnded: then.isEnded === true,
  }
}

function stepOf({ isDone, challenge, token }: Then, sent: Kept | undefined): UseResetPassword['step'] {
  if (challenge !== undefined) return 'second_factor'
  if (isDone === true) return 'done'
  if (token !== undefined) return 'password'
  return sent === undefined ? 'start' : 'code'
}
