import type { ReactNode } from 'react'
import { useAnnounce } from '../../foundation/announcer.tsx'
import type { Action } from '../../foundation/use-action.ts'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'
import { ResendButton } from '../../verification/resend-button.tsx'

/** Sends a code again, once the time has come, and says so. */
export function Resend(props: {
  readonly at: string | undefined
  readonly action: Action<[], boolean>
}): ReactNode {
  const texts = useAccountTexts()
  const announce = useAnnounce()
  const { action } = props
  const resend = async () => {
    if ((await action.run()) === true) announce(texts('code_sent_again'))
  }
  return <ResendButton at={props.at} busy={action.busy} onResend={() => void resend()} />
}
