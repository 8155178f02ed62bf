import type { ReactNode } from 'react'
import { Button } from '../foundation/button.tsx'
import { useCountdown } from '../foundation/use-countdown.ts'
import { useTexts } from '../texts/use-texts.ts'

/** A button to send a code again. */
export type ResendButtonProps = {
  /** When that may be done, a time of the server (ISO 8601). */
  readonly at: string | undefined
  readonly onResend: () => void
  readonly busy?: boolean | undefined
  /** How things stand is being asked: it waits, and does not say how long. */
  readonly waiting?: boolean | undefined
  /** The code has ended: a new one is sent, and that is the first thing to do. */
  readonly isNew?: boolean | undefined
}

/** Counts down by the server's clock, silently, and takes a click when it is over. */
export function ResendButton({
  at,
  onResend,
  busy,
  waiting = false,
  isNew = false,
}: ResendButtonProps): ReactNode {
  const t = useTexts()
  const left = useCountdown(waiting ? undefined : at)
  const time = `\u2066${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}\u2069`
  return (
    <Button kind={isNew ? 'primary' : 'link'} busy={busy} waiting={waiting || left > 0} onClick={onResend}>
      {left > 0 ? t(isNew ? 'new_code_in' : 'resend_in', { time }) : t(isNew ? 'new_code' : 'resend')}
    </Button>
  )
}
