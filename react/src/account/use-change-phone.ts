import { useState } from 'react'
import type { User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import type { Kept } from './kept.ts'
import { assumedResendAt, useSentCode } from './use-sent-code.ts'
import { type StepUp, useStepUp } from './use-step-up.ts'
import { useUser } from './use-user.ts'
import { userStore } from './user-store.ts'

/** A change of number, without any looks. */
export type UseChangePhone = {
  readonly step: 'start' | 'code' | 'done'
  readonly user: User | undefined
  readonly sent: Kept | undefined
  readonly lastPhone: string | undefined
  readonly start: Action<[input: { phone: string }], void>
  /** True where it was sent. */
  readonly resend: Action<[], boolean>
  readonly checkCode: Action<[code: string], void>
  readonly changeNumber: () => void
  /** Gives up what was begun, or begins anew after a change that is done. */
  readonly reset: () => void
  /** What the server wants to be shown again, in between. */
  readonly stepUp: StepUp
}

/** Gives an account another number, once that is proven. */
export function useChangePhone(): UseChangePhone {
  const { client } = useCountersign()
  const { user } = useUser()
  const stepUp = useStepUp()
  const [isDone, setDone] = useState(false)
  const begin = async (phone: string, before?: Kept): Promise<Kept | undefined> => {
    const started = await stepUp.guard(() => client.auth.changePhone(phone))
    if (started === undefined) return undefined
    const resends = before === undefined ? 0 : (before.resends ?? 0) + 1
    return { phone, verificationId: started.verification_id, resendAt: started.resend_at, resends }
  }
  const code = useSentCode<{ phone: string }>({
    name: undefined,
    isSameAgain: true,
    start: ({ phone }) => begin(phone),
    resend: (kept) => begin(kept.phone, kept),
  })
  const checkCode = useAction(async (signal, digits: string) => {
    const id = code.sent?.verificationId
    if (id === undefined) return
    const changed = await stepUp.guard(() => client.auth.verifyPhoneChange(id, digits, { signal }))
    if (changed === undefined) return
    userStore(client).set(changed)
    code.forget()
    setDone(true)
  })
  return {
    step: isDone ? 'done' : code.sent === undefined ? 'start' : 'code',
    user,
    sent: code.sent,
    lastPhone: code.last,
    start: code.request,
    resend: code.resend,
    checkCode,
    changeNumber: code.change,
    reset: () => {
      code.forget()
      setDone(false)
    },
    stepUp,
  }
}

/** Taking a change of number back, without any looks. It wants no session. */
export type UseUndoPhoneChange = Omit<UseChangePhone, 'user' | 'stepUp' | 'reset'>

/** Gives an account the number back that was taken from it, with a code to that number. */
export function useUndoPhoneChange(options: { onDone?: (() => void) | undefined } = {}): UseUndoPhoneChange {
  const { client } = useCountersign()
  const [isDone, setDone] = useState(false)
  const code = useSentCode<{ phone: string }>({
    name: 'undo',
    isSameAgain: true,
    start: async ({ phone }, signal) => {
      await client.auth.requestPhoneUndo(phone, { signal })
      return { phone, resendAt: assumedResendAt(client) }
    },
    resend: async (kept, signal) => {
      await client.auth.requestPhoneUndo(kept.phone, { signal })
      return { ...kept, resends: (kept.resends ?? 0) + 1, resendAt: assumedResendAt(client, kept) }
    },
  })
  const checkCode = useAction(async (signal, digits: string) => {
    if (code.sent === undefined) return
    await client.auth.undoPhoneChange(code.sent.phone, digits, { signal })
    code.forget()
    setDone(true)
    options.onDone?.()
  })
  return {
    step: isDone ? 'done' : code.sent === undefined ? 'start' : 'code',
    sent: code.sent,
    lastPhone: code.last,
    start: code.request,
    resend: code.resend,
    checkCode,
    changeNumber: code.change,
  }
}
