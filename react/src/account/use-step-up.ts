import { useRef, useState } from 'react'
import { type Client, isCountersignError, type SecondFactorRequired, type User } from '@countersign/client'
import { useCountersign } from '../provider.tsx'
import { userStore } from './user-store.ts'

/** What has to be shown again before a call is let through. */
export type StepUpNeed =
  | { readonly kind: 'second_factor'; readonly challenge: SecondFactorRequired }
  | { readonly kind: 'sign_in'; readonly user: User }

/** Calls that the server lets through only when somebody has shown a short while ago who they are. */
export type StepUp = {
  /** What is asked for now; show it, and say what came of it. */
  readonly need: StepUpNeed | undefined
  readonly passed: () => void
  readonly canceled: () => void
  /** A challenge has ended: asks for another. */
  readonly again: () => void
  /** Makes a call; where it wants more, makes it once more when that was shown. Undefined where it was not. */
  readonly guard: <T>(call: () => Promise<T>) => Promise<T | undefined>
}

/** Lets a person show again who they are when the server asks for it, and then goes on with what they were at. */
export function useStepUp(): StepUp {
  const { client } = useCountersign()
  const [need, setNeed] = useState<StepUpNeed>()
  const answer = useRef<(isShown: boolean) => void>(undefined)
  const settle = (isShown: boolean) => {
    setNeed(undefined)
    answer.current?.(isShown)
    answer.current = undefined
  }
  const shown = async (next: StepUpNeed) => {
    // Whatever was asked for before is given up: one dialog at a time.
    answer.current?.(false)
    const isShown = new Promise<boolean>((resolve) => {
      answer.current = resolve
    })
    setNeed(next)
    return isShown
  }
  return {
    need,
    passed: () => settle(true),
    canceled: () => settle(false),
    again: () => {
      client.auth.secondFactor.challenge().then(
        (challenge) => setNeed({ kind: 'second_factor', challenge }),
        () => settle(false),
      )
    },
    guard: async (call) => {
      // A session can need both: the sign-in anew, and the second factor of another step.
      for (let turn = 0; turn < 2; turn += 1) {
        try {
          return await call()
        } catch (error) {
          if (!(await needOf(client, error, shown))) return undefined
        }
      }
      return call()
    },
  }
}

/** Asks for what a refusal wants; true when it was shown. Throws what wants nothing that can be shown. */
async function needOf(
  client: Client,
  error: unknown,
  show: (need: StepUpNeed) => Promise<boolean>,
): Promise<boolean> {
  const { user } = userStore(client).get()
  if (!isCountersignError(error)) throw error
  if (error.code === 'second_factor_required' && user?.two_factor_enabled !== false) {
    return show({ kind: 'second_factor', challenge: await client.auth.secondFactor.challenge() })
  }
  if (error.code !== 'fresh_sign_in_required' || user === undefined) throw error
  const before = (await client.auth.sessions.list()).find(({ current }) => current)
  const isShown = await show({ kind: 'sign_in', user })
  // The sign-in opened a session of its own. That of before would stay in the list as another device.
  if (isShown && before !== undefined) await client.auth.sessions.end(before.id).catch(() => {})
  return isShown
}
