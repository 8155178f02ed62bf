import {
  type Channel,
  type CheckedVerification,
  type Client,
  isCountersignError,
  type Purpose,
  type Verification,
} from '@countersign/client'
import { useRef, useState } from 'react'
import type { Trouble } from '../foundation/trouble.ts'
import { useAction } from '../foundation/use-action.ts'
import { useLayoutEffect } from '../foundation/use-layout-effect.ts'
import { useCountersign } from '../provider.tsx'
import {
  type FlowPhone,
  readSaved,
  savedKey,
  type SavedVerification,
  writeSaved,
} from './saved-verification.ts'

/** A number that was verified. */
export type Verified = {
  /** A signed token that says so, for a backend to check; good for five minutes. */
  readonly proof: string
  readonly verification: CheckedVerification
}

/** What a verification is told. */
export type VerificationOptions = {
  /** What the number is verified for; `verify` unless told. */
  readonly purpose?: Purpose | undefined
  /** How messages may go, the usual one first; `['sms']` unless told. */
  readonly channels?: readonly [Channel, ...Channel[]] | undefined
  /** Made by a backend and tied to its session; comes back in the proof. */
  readonly nonce?: string | undefined
  /** At most 10 strings that are kept with the verification. */
  readonly metadata?: Record<string, string> | undefined
  /** Called once, when the right code was typed. */
  readonly onVerified?: ((verified: Verified) => void) | undefined
}

/** A verification as far as it has come, and what can be done next. */
export type VerificationFlow = {
  readonly step: 'number' | 'code' | 'done'
  /** The number that the code went to. */
  readonly phone: FlowPhone | undefined
  readonly verification: SavedVerification['verification'] | undefined
  /** The code is no longer good, whatever is typed: `resend` sends a new one. */
  readonly isEnded: boolean
  readonly busy: 'start' | 'resend' | 'check' | undefined
  /** It was found again after a reload, and the server is being asked how it stands. */
  readonly isRestoring: boolean
  readonly trouble: Trouble | undefined
  /** Sends a code. True once it is on its way. */
  readonly start: (phone: FlowPhone, channel?: Channel) => Promise<boolean>
  /** Sends the code again, or a new one where the old one has ended. */
  readonly resend: (channel?: Channel) => Promise<boolean>
  /** Checks a code. True where it was right. */
  readonly check: (code: string) => Promise<boolean>
  /** Goes back to the number. */
  readonly changeNumber: () => void
  /** Says what a component found out by itself, or forgets what was wrong. */
  readonly setTrouble: (trouble: Trouble | undefined) => void
}

type State = {
  readonly step: VerificationFlow['step']
  readonly saved?: SavedVerification
  readonly isRestoring?: boolean
}

/** Verifies a number: number, code, done. Everything but the looks, and it survives a reload of the page. */
export function useVerification(options: VerificationOptions = {}): VerificationFlow {
  const { purpose = 'verify', channels = ['sms'], nonce, metadata, onVerified } = options
  const { client, locale } = useCountersign()
  const key = savedKey(purpose)
  const [state, setState] = useState<State>({ step: 'number' })
  const [trouble, setTrouble] = useState<Trouble>()
  const task = useRef<VerificationFlow['busy']>(undefined)

  const keep = (saved: SavedVerification, found?: Trouble) => {
    writeSaved(key, saved)
    setTrouble(found)
    setState({ step: 'code', saved })
  }
  useRestored(key, nonce, client, setState, setTrouble)

  const action = useAction(async (signal, name: VerificationFlow['busy'], work: Work) => {
    task.current = name
    setTrouble(undefined)
    return work(signal)
  })
  const open = async (signal: AbortSignal, phone: FlowPhone, channel: Channel) => {
    const { to, country } = phone
    const input = { to, country, channel, purpose, nonce, metadata, locale: messageLocale(locale) }
    const verification = await client.verifications.start(input, { signal })
    const refused = await refusalOf(client, verification, signal)
    if (refused !== undefined) {
      setTrouble(refused)
      return false
    }
    keep({ phone, nonce, verification })
    return true
  }
  const { saved } = state
  const isEnded = saved !== undefined && saved.verification.status !== 'pending'
  const act = async (name: VerificationFlow['busy'], work: Work) => (await action.run(name, work)) ?? false
  return {
    step: state.step,
    phone: saved?.phone,
    verification: saved?.verification,
    isEnded,
    busy: action.busy ? task.current : undefined,
    isRestoring: state.isRestoring === true,
    trouble: trouble ?? action.error,
    start: (phone, channel = channels[0]) => {
      if (saved !== undefined && isOnItsWay(saved, phone, channel, client.now())) {
        keep(saved)
        return Promise.resolve(true)
      }
      return act('start', (signal) => open(signal, phone, channel))
    },
    resend: (channel) =>
      act('resend', async (signal) => {
        if (saved === undefined) return false
        const by = channel ?? saved.verification.channel
        if (isEnded) return open(signal, saved.phone, by)
        try {
          const { id } = saved.verification
          const verification = await client.verifications.resend(id, { channel: by }, { signal })
          keep({ ...saved, verification }, endOf(verification))
          return verification.status === 'pending'
        } catch (error) {
          if (!isCountersignError(error)) throw error
          // It ended while nobody looked.
          if (error.code === 'verification_ended' || error.code === 'not_found')
            return open(signal, saved.phone, by)
          const { limit, retryAfter } = error
          if (limit === 'resend_cooldown' && retryAfter !== undefined) {
            const resendAt = new Date(client.now() + retryAfter * 1000).toISOString()
            keep({ ...saved, verification: { ...saved.verification, resend_at: resendAt } })
          }
          throw error
        }
      }),
    check: (code) =>
      act('check', async (signal) => {
        if (saved === undefined) return false
        const verification = await client.verifications.check(saved.verification.id, code, { signal })
        const { valid, proof } = verification
        if (!valid || proof === undefined) {
          keep({ ...saved, verification }, refusedCode(verification))
          return false
        }
        writeSaved(key, undefined)
        setState({ step: 'done', saved: { ...saved, verification } })
        onVerified?.({ proof, verification })
        return true
      }),
    changeNumber: () => {
      writeSaved(key, undefined)
      setTrouble(undefined)
      action.reset()
      setState({ step: 'number', ...(saved === undefined ? {} : { saved }) })
    },
    setTrouble: (next) => {
      action.reset()
      setTrouble(next)
    },
  }
}

type Work = (signal: AbortSignal) => Promise<boolean>

/** Finds a verification again after a reload, and asks how it stands, and with that what time it is. */
function useRestored(
  key: string,
  nonce: string | undefined,
  client: Client,
  setState: (state: State) => void,
  setTrouble: (trouble: Trouble | undefined) => void,
): void {
  useLayoutEffect(() => {
    const saved = readSaved(key, nonce)
    if (saved === undefined) return undefined
    const controller = new AbortController()
    setState({ step: 'code', saved, isRestoring: true })
    client.verifications.get(saved.verification.id, { signal: controller.signal }).then(
      (verification) => {
        setState({ step: 'code', saved: { ...saved, verification } })
        setTrouble(endOf(verification))
      },
      (error: unknown) => {
        if (controller.signal.aborted) return
        const isGone =
          typeof error === 'object' && error !== null && 'status' in error && error.status === 404
        if (isGone) writeSaved(key, undefined)
        // Offline, what was kept is what there is.
        setState(isGone ? { step: 'number' } : { step: 'code', saved })
      },
    )
    return () => controller.abort()
  }, [key, nonce, client])
}

/** The same number was sent a code that is still good, and may not be sent another yet: there is nothing to send. */
function isOnItsWay(
  { verification, phone: before }: SavedVerification,
  phone: FlowPhone,
  channel: Channel,
  now: number,
): boolean {
  return (
    before.to === phone.to &&
    verification.channel === channel &&
    verification.status === 'pending' &&
    Date.parse(verification.resend_at) > now
  )
}

/** Why no code went out at all. Of a landline the server says no more than that it may not be sent to. */
async function refusalOf(
  client: Client,
  { status, to, channel }: Verification,
  signal: AbortSignal,
): Promise<Trouble | undefined> {
  if (status !== 'blocked' && status !== 'failed') return undefined
  const isLandline =
    channel !== 'call' &&
    (await client.phones.lookup(to, undefined, { signal }).then(
      ({ type }) => type === 'fixed_line',
      () => false,
    ))
  return { code: isLandline ? 'landline' : status === 'blocked' ? 'blocked' : 'not_sent', field: 'to' }
}

/** Why a verification takes no code any more. */
function endOf({ status }: Verification): Trouble | undefined {
  if (status === 'pending') return undefined
  if (status === 'failed') return { code: 'not_sent' }
  return { code: status === 'approved' ? 'already_used' : status }
}

function refusedCode(checked: CheckedVerification): Trouble {
  const { reason, status, checks_left: checksLeft } = checked
  if (reason === 'approved') return { code: 'unexpected' }
  // The last wrong code locks; that it was wrong helps nobody then.
  if (reason === 'wrong_code' && status === 'locked') return { code: 'locked', field: 'code' }
  return { code: reason, field: 'code', checksLeft: reason === 'wrong_code' ? checksLeft : undefined }
}

/** The language a message is asked for in, where the server would take the tag. */
function messageLocale(locale: string): string | undefined {
  return /^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?$/.test(locale) ? locale : undefined
}
