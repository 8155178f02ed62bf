import { useEffect, useRef, useState } from 'react'
import { type Factor, isCountersignError, type SecondFactorRequired, type User } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountdown } from '../foundation/use-countdown.ts'
import { useCountersign } from '../provider.tsx'
import { waitOf } from './use-sent-code.ts'

export type SecondFactorOptions = {
  /** What a sign-in, or `client.auth.secondFactor.challenge()`, answered. */
  readonly challenge: SecondFactorRequired
  readonly onPassed: (user: User) => void
  /** The challenge is used up: sign in again, or ask for another. */
  readonly onEnded: () => void
}

/** A second factor that is asked for, without any looks. */
export type UseSecondFactor = {
  /** What can be shown, the preferred one first. */
  readonly factors: readonly Factor[]
  readonly factor: Factor | undefined
  /** Takes another factor; a text is sent when it is chosen first. */
  readonly choose: (factor: Factor) => void
  /** The end of the number that a text goes to. */
  readonly phoneHint: string | null
  /** When a text may be sent again, ISO 8601; undefined before the first was sent. */
  readonly resendAt: string | undefined
  /** Sends the text; true where it was sent. */
  readonly send: Action<[], boolean>
  readonly check: Action<[input: { code: string; rememberDevice?: boolean }], void>
  /** Leaves the account of this number to whoever had it before, and makes a new one. */
  readonly startOver: Action<[], void>
}

/** Shows a second factor: a code of the app, of a text, or a backup code. */
export function useSecondFactor({ challenge, onPassed, onEnded }: SecondFactorOptions): UseSecondFactor {
  const { client } = useCountersign()
  const { challenge_token: token, factors, phone_hint: phoneHint, expires_at: expiresAt } = challenge
  const [chosen, setChosen] = useState<Factor>()
  const [resendAt, setResendAt] = useState<string>()
  const factor = chosen ?? factors[0]

  const endedBy = (error: unknown): void => {
    if (isCountersignError(error) && error.code === 'challenge_ended') onEnded()
    else throw error
  }
  const send = useAction(async (signal) => {
    try {
      setResendAt((await client.auth.secondFactor.send(token, { signal })).resend_at)
      return true
    } catch (error) {
      // Sent a moment ago, as before a reload: the code is there, and the next may follow later.
      const wait = waitOf(client, error)
      if (wait === undefined) endedBy(error)
      else setResendAt(wait)
      return false
    }
  })
  const check = useAction(async (signal, input: { code: string; rememberDevice?: boolean }) => {
    if (factor === undefined) return
    const given = { challenge_token: token, factor, code: input.code }
    const remember = input.rememberDevice === true ? { remember_device: true } : {}
    try {
      onPassed((await client.auth.secondFactor.verify({ ...given, ...remember }, { signal })).user)
    } catch (error) {
      endedBy(error)
    }
  })
  const startOver = useAction(async (signal) => {
    try {
      onPassed((await client.auth.secondFactor.startOver(token, { signal })).user)
    } catch (error) {
      endedBy(error)
    }
  })
  useFirstText(factor === 'sms' ? token : undefined, send)
  useEndAt(expiresAt, onEnded)
  return {
    factors,
    factor,
    choose: (next) => {
      check.reset()
      setChosen(next)
    },
    phoneHint,
    resendAt,
    send,
    check,
    startOver,
  }
}

/** Sends a text once for each challenge, when texts are what is shown. */
function useFirstText(token: string | undefined, send: Action<[], boolean>): void {
  const latest = useRef(send)
  useEffect(() => {
    latest.current = send
  })
  const sentFor = useRef<string>(undefined)
  useEffect(() => {
    if (token === undefined || sentFor.current === token) return undefined
    // Later, because React in development mounts everything twice, and what the first mount sent would be lost.
    const timer = setTimeout(() => {
      sentFor.current = token
      void latest.current.run()
    })
    return () => clearTimeout(timer)
  }, [token])
}

/** Calls back when the server's clock passes a time. */
function useEndAt(time: string, onEnded: () => void): void {
  const left = useCountdown(time)
  const wasAhead = useRef(false)
  useEffect(() => {
    if (left > 0) wasAhead.current = true
    else if (wasAhead.current) {
      wasAhead.current = false
      onEnded()
    }
  })
}
