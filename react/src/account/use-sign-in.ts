import { useCallback, useState } from 'react'
import type { SecondFactorRequired, SignInResult, User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import type { Kept } from './kept.ts'
import { assumedResendAt, useSentCode } from './use-sent-code.ts'
import { userStore } from './user-store.ts'

/** How somebody shows who they are, first. */
export type SignInMethod = 'code' | 'password'

export type SignInOptions = {
  /** Called once, when both factors that the account wants were shown. */
  readonly onSignedIn?: ((user: User) => void) | undefined
  /** `code` unless told. */
  readonly method?: SignInMethod | undefined
  /** False keeps nothing over a reload; for a sign-in that is a step of something else. */
  readonly isKept?: boolean
}

/** A sign-in, without any looks. */
export type UseSignIn = {
  /** `code`: one is on its way. `second_factor`: give `challenge` to `useSecondFactor`. */
  readonly step: 'start' | 'code' | 'second_factor' | 'done'
  readonly method: SignInMethod
  readonly setMethod: (method: SignInMethod) => void
  /** The number that the code went to, and when it may be sent again, ISO 8601. */
  readonly sent: Kept | undefined
  /** The number that was asked for last. */
  readonly lastPhone: string | undefined
  readonly requestCode: Action<[input: { phone: string }], void>
  /** True where it was sent. */
  readonly resend: Action<[], boolean>
  readonly checkCode: Action<[code: string], void>
  readonly checkPassword: Action<[input: { identifier: string; password: string }], void>
  readonly challenge: SecondFactorRequired | undefined
  /** What was shown first; after a code to the number an account that was somebody else's can be left alone. */
  readonly first: SignInMethod | undefined
  /** To be called when the second factor was shown. */
  readonly passed: (user: User) => void
  /** To be called when the challenge has ended, or the person goes back. `ended` says which. */
  readonly back: (ended?: boolean) => void
  /** True after a challenge that has ended. */
  readonly isChallengeEnded: boolean
  readonly changeNumber: () => void
  readonly user: User | undefined
}

type Then = { readonly challenge?: SecondFactorRequired; readonly first?: SignInMethod; readonly user?: User }

/** Signs in with a code to the number or a password, and leads into the second factor. */
export function useSignIn({
  onSignedIn,
  method: initial = 'code',
  isKept = true,
}: SignInOptions = {}): UseSignIn {
  const { client } = useCountersign()
  const [method, setMethod] = useState(initial)
  const [then, setThen] = useState<Then>({})
  const [isChallengeEnded, setChallengeEnded] = useState(false)
  const code = useSentCode<{ phone: string }>({
    name: isKept ? 'sign-in' : undefined,
    isSameAgain: true,
    start: async ({ phone }, signal) => {
      await client.auth.requestOtp(phone, { signal })
      return { phone, resendAt: assumedResendAt(client) }
    },
    resend: async (kept, signal) => {
      await client.auth.requestOtp(kept.phone, { signal })
      return { ...kept, resends: (kept.resends ?? 0) + 1, resendAt: assumedResendAt(client, kept) }
    },
  })

  const passed = (user: User) => {
    userStore(client).set(user)
    setThen({ user })
    onSignedIn?.(user)
  }
  const take = (result: SignInResult, first: SignInMethod) => {
    code.forget()
    setChallengeEnded(false)
    if (result.status === 'second_factor_required') setThen({ challenge: result, first })
    else passed(result.user)
  }
  const checkCode = useAction(async (signal, digits: string) => {
    if (code.sent === undefined) return
    take(await client.auth.verifyOtp(code.sent.phone, digits, { signal }), 'code')
  })
  const checkPassword = useAction(async (signal, input: { identifier: string; password: string }) => {
    take(await client.auth.login(input, { signal }), 'password')
  })
  const back = useCallback((ended = false) => {
    setThen({})
    setChallengeEnded(ended)
  }, [])
  return {
    step: stepOf(then, code.sent, method),
    method,
    setMethod,
    sent: code.sent,
    lastPhone: code.last,
    requestCode: code.request,
    resend: code.resend,
    checkCode,
    checkPassword,
    challenge: then.challenge,
    first: then.first,
    passed,
    back,
    isChallengeEnded,
    changeNumber: code.change,
    user: then.user,
  }
}

function stepOf({ challenge, user }: Then, sent: Kept | undefined, method: SignInMethod): UseSignIn['step'] {
  if (user !== undefined) return 'done'
  if (challenge !== undefined) return 'second_factor'
  return sent !== undefined && method === 'code' ? 'code' : 'start'
}
