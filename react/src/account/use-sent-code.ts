import { useCallback, useEffect, useState } from 'react'
import { type Client, isCountersignError } from '@countersign/client'
import { type Action, useAction } from '../foundation/use-action.ts'
import { useCountersign } from '../provider.tsx'
import { keep, type Kept, readKept } from './kept.ts'

/** A code on its way to a number, and how it is sent again. */
export type SentCode<Input extends { phone: string }> = {
  /** What was sent last; undefined while the number is being typed. */
  readonly sent: Kept | undefined
  readonly request: Action<[input: Input], void>
  /** True where it was sent. */
  readonly resend: Action<[], boolean>
  /** Back to the number. The one that was typed is in `last`. */
  readonly change: () => void
  /** Forgets all of it, as when the code has done its work. */
  readonly forget: () => void
  readonly last: string | undefined
}

/** How codes of a flow are sent. */
export type Sender<Input> = {
  /** Under which it is kept for this tab; undefined keeps nothing. */
  readonly name: string | undefined
  /** True where the same number asked for again within the wait has its code already. */
  readonly isSameAgain: boolean
  /** Undefined where the person thought better of it. */
  readonly start: (input: Input, signal: AbortSignal) => Promise<Kept | undefined>
  readonly resend: (kept: Kept, signal: AbortSignal) => Promise<Kept | undefined>
}

/** The step of a flow at which a code is on its way. It survives a reload, as a phone does it while one reads the text. */
export function useSentCode<Input extends { phone: string }>(sender: Sender<Input>): SentCode<Input> {
  const { client } = useCountersign()
  const [last, setLast] = useState<Kept>()
  const [isTyping, setTyping] = useState(false)
  const { name } = sender

  // After the first render, which must be that of the server.
  useEffect(() => {
    if (name !== undefined) setLast(readKept(name))
  }, [name])

  const take = useCallback(
    (kept: Kept | undefined) => {
      if (name !== undefined) keep(name, kept)
      setLast(kept)
      setTyping(false)
    },
    [name],
  )
  const request = useAction(async (signal, input: Input) => {
    const isOnItsWay = last?.phone === input.phone && Date.parse(last.resendAt) > client.now()
    const sent = sender.isSameAgain && isOnItsWay ? last : await sender.start(input, signal)
    if (sent !== undefined) take(sent)
  })
  const resend = useAction(async (signal) => {
    if (last === undefined) return false
    try {
      const sent = await sender.resend(last, signal)
      if (sent !== undefined) take(sent)
      return sent !== undefined
    } catch (error) {
      const resendAt = waitOf(client, error)
      if (resendAt === undefined) throw error
      take({ ...last, resendAt })
      return false
    }
  })
  return {
    sent: isTyping ? undefined : last,
    last: last?.phone,
    request,
    resend,
    change: useCallback(() => setTyping(true), []),
    forget: useCallback(() => take(undefined), [take]),
  }
}

/** When a refused resend may be tried again; undefined for every other refusal. */
export function waitOf(client: Client, error: unknown): string | undefined {
  if (!isCountersignError(error) || error.limit !== 'resend_cooldown') return undefined
  return new Date(client.now() + (error.retryAfter ?? FIRST_WAIT_SECONDS) * 1_000).toISOString()
}

/** What servers do unless told: the wait before a code is sent again, in seconds, which doubles with each time. */
const FIRST_WAIT_SECONDS = 30
const LONGEST_WAIT_SECONDS = 600

/**
 * When a code may be sent again, for calls that do not say it. A server with other settings refuses an attempt that
 * comes too soon, and says how long to wait.
 */
export function assumedResendAt(client: Client, before?: Kept): string {
  const waits = before === undefined ? 0 : (before.resends ?? 0) + 1
  const seconds = Math.min(FIRST_WAIT_SECONDS * 2 ** waits, LONGEST_WAIT_SECONDS)
  return new Date(client.now() + seconds * 1_000).toISOString()
}
