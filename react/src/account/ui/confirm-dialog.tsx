import type { ReactNode } from 'react'
import { Button } from '../../foundation/button.tsx'
import { Dialog } from '../../foundation/dialog.tsx'
import { Heading } from '../../foundation/heading.tsx'
import type { Trouble } from '../../foundation/trouble.ts'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'
import { Failure } from './failure.tsx'

/** Asks before something that cannot be taken back. */
export function ConfirmDialog(props: {
  readonly open: boolean
  readonly title: string
  readonly text: string
  readonly action: string
  readonly busy: boolean
  readonly error?: Trouble | undefined
  readonly onConfirm: () => void
  readonly onClose: () => void
}): ReactNode {
  const at = useAccountTexts()
  return (
    <Dialog open={props.open} onClose={props.onClose} label={props.title}>
      <div className="cs-stack">
        <Heading level={2}>{props.title}</Heading>
        <p className="cs-text">{props.text}</p>
        <Failure error={props.error} />
        <div className="cs-actions">
          <Button kind="danger" busy={props.busy} onClick={props.onConfirm}>
            {props.action}
          </Button>
          <Button kind="quiet" onClick={props.onClose}>
            {at('cancel')}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
