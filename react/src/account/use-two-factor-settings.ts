import { useCallback, useState } from 'react'
import type { User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import { waitOf } from './use-sent-code.ts'
import { type StepUp, useStepUp } from './use-step-up.ts'
import { useUser } from './use-user.ts'
import { userStore } from './user-store.ts'

/** A way to show a second factor that can be turned on and off. */
export type TwoFactorMethod = 'sms' | 'app'

/** A way that is being turned on, and wants its first code. */
export type TwoFactorSetup =
  | {
      readonly method: 'app'
      readonly secret: string
      /** For the app on this device itself. */
      readonly otpauthUrl: string
      /** The same as an image to scan, an SVG document. */
      readonly qrSvg: string
    }
  | { readonly method: 'sms'; /** ISO 8601. */ readonly resendAt: string }

/** The second factors of who is signed in, without any looks. */
export type UseTwoFactorSettings = {
  readonly user: User | undefined
  /** What is on. */
  readonly methods: readonly TwoFactorMethod[]
  readonly setup: TwoFactorSetup | undefined
  /** Told once; `acknowledge` forgets them. */
  readonly backupCodes: readonly string[] | undefined
  readonly enable: Action<[method: TwoFactorMethod], void>
  /** Sends the text of a setup again; true where it was sent. */
  readonly resend: Action<[], boolean>
  readonly confirm: Action<[code: string], void>
  readonly disable: Action<[method: TwoFactorMethod], boolean>
  readonly renew: Action<[], void>
  readonly cancelSetup: () => void
  readonly acknowledge: () => void
  /** What the server wants to be shown again, in between. */
  readonly stepUp: StepUp
}

/** Turns second factors on and off, and makes backup codes. */
export function useTwoFactorSettings(): UseTwoFactorSettings {
  const { client } = useCountersign()
  const { user } = useUser()
  const [setup, setSetup] = useState<TwoFactorSetup>()
  const [backupCodes, setBackupCodes] = useState<readonly string[]>()
  const stepUp = useStepUp()
  const { secondFactor } = client.auth
  const reload = userStore(client).load

  const begin = async (method: TwoFactorMethod) => {
    const begun = await stepUp.guard(() => secondFactor.enable(method))
    if (begun === undefined) return
    const { secret = '', otpauth_url: otpauthUrl = '', qr_svg: qrSvg = '', resend_at: resendAt = '' } = begun
    setSetup(method === 'app' ? { method, secret, otpauthUrl, qrSvg } : { method, resendAt })
  }
  const enable = useAction(async (_signal, method: TwoFactorMethod) => begin(method))
  const resend = useAction(async () => {
    try {
      await begin('sms')
      return true
    } catch (error) {
      const resendAt = waitOf(client, error)
      if (resendAt === undefined) throw error
      setSetup({ method: 'sms', resendAt })
      return false
    }
  })
  const confirm = useAction(async (_signal, code: string) => {
    const made = await stepUp.guard(() => secondFactor.confirm(code))
    if (made === undefined) return
    setSetup(undefined)
    setBackupCodes(made.backup_codes)
    await reload()
  })
  const disable = useAction(async (_signal, method: TwoFactorMethod) => {
    const done = await stepUp.guard(async () => {
      await secondFactor.disable(method)
      return true
    })
    await reload()
    return done ?? false
  })
  const renew = useAction(async () => {
    const made = await stepUp.guard(() => secondFactor.renewBackupCodes())
    if (made === undefined) return
    setBackupCodes(made.backup_codes)
    await reload()
  })
  return {
    user,
    methods: methodsOf(user),
    setup,
    backupCodes,
    enable,
    resend,
    confirm,
    disable,
    renew,
    cancelSetup: useCallback(() => setSetup(undefined), []),
    acknowledge: useCallback(() => setBackupCodes(undefined), []),
    stepUp,
  }
}

/** What is on; an older server names the preferred one alone. */
export function methodsOf(user: Partial<User> | undefined): readonly TwoFactorMethod[] {
  if (user?.two_factor_methods !== undefined) return user.two_factor_methods
  const method = user?.two_factor_method ?? 'none'
  return method === 'none' ? [] : [method]
}
