import { useCallback, useState } from 'react'
import type { SecondFactorRequired, User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import type { Kept } from './kept.ts'
import { useSentCode } from './use-sent-code.ts'
import { userStore } from './user-store.ts'

/** What a person gives for an account. */
export type SignUpInput = {
  /** E.164. */
  readonly phone: string
  readonly password: string
  readonly name?: string | undefined
  readonly email?: string | undefined
}

/** What became of an account that was asked for. */
export type SignUpOutcome = {
  readonly user: User
  /** The number had an account: this is a sign-in to it, and what was typed is not set. */
  readonly isExisting: boolean
  /** Somebody else has the e-mail that was given, so the account is without it. */
  readonly isEmailLeftOut: boolean
}

/** A registration, without any looks. */
export type UseSignUp = {
  readonly step: 'start' | 'code' | 'second_factor' | 'done'
  readonly sent: Kept | undefined
  readonly lastPhone: string | undefined
  readonly register: Action<[input: SignUpInput], void>
  /** True where it was sent. */
  readonly resend: Action<[], boolean>
  readonly checkCode: Action<[code: string], void>
  /** Of an account that the number has already. */
  readonly challenge: SecondFactorRequired | undefined
  readonly passed: (user: User) => void
  /** Back to what was typed. */
  readonly back: () => void
  readonly outcome: SignUpOutcome | undefined
}

/** An account that is older than this was there before its registration. */
const OLD_MS = 60_000

/** Makes an account with a password, once its number is proven. */
export function useSignUp(
  options: { onSignedUp?: ((outcome: SignUpOutcome) => void) | undefined } = {},
): UseSignUp {
  const { client } = useCountersign()
  const [challenge, setChallenge] = useState<SecondFactorRequired>()
  const [outcome, setOutcome] = useState<SignUpOutcome>()
  const [email, setEmail] = useState<string>()
  const code = useSentCode<SignUpInput>({
    name: 'sign-up',
    isSameAgain: false,
    start: async (input, signal) => {
      const started = await client.auth.register(input, { signal })
      setEmail(input.email)
      return { phone: input.phone, verificationId: started.verification_id, resendAt: started.resend_at }
    },
    resend: async (kept, signal) => {
      const again = await client.auth.resendRegistration(kept.verificationId ?? '', { signal })
      return { ...kept, resendAt: again.resend_at }
    },
  })
  const passed = (user: User) => {
    const isExisting = Date.parse(user.created_at) < client.now() - OLD_MS
    const isEmailLeftOut = !isExisting && email !== undefined && email.toLowerCase() !== user.email
    const next = { user, isExisting, isEmailLeftOut }
    code.forget()
    setChallenge(undefined)
    setOutcome(next)
    userStore(client).set(user)
    options.onSignedUp?.(next)
  }
  const checkCode = useAction(async (signal, digits: string) => {
    const id = code.sent?.verificationId
    if (id === undefined) return
    const result = await client.auth.verifyRegistration(id, digits, { signal })
    if (result.status === 'second_factor_required') setChallenge(result)
    else passed(result.user)
  })
  return {
    step: outcome ? 'done' : challenge ? 'second_factor' : code.sent ? 'code' : 'start',
    sent: code.sent,
    lastPhone: code.last,
    register: code.request,
    resend: code.resend,
    checkCode,
    challenge,
    passed,
    back: useCallback(() => {
      setChallenge(undefined)
      code.change()
    }, [code]),
    outcome,
  }
}
