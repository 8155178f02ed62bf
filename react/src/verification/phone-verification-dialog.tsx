import type { ReactNode } from 'react'
import { Dialog } from '../foundation/dialog.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { VerifyPhone, type VerifyPhoneProps } from './verify-phone.tsx'

/** A verification in a dialog over the page. */
export type PhoneVerificationDialogProps = Omit<VerifyPhoneProps, 'autoFocus'> & {
  readonly open: boolean
  /** It wants to be closed; it closes when `open` becomes false. */
  readonly onClose: () => void
}

/** `VerifyPhone` in HTML's own dialog. Closed and opened again, it goes on where it was. */
export function PhoneVerificationDialog({
  open,
  onClose,
  ...verify
}: PhoneVerificationDialogProps): ReactNode {
  const t = useTexts()
  return (
    <Dialog open={open} onClose={onClose} label={t('number_title')}>
      <VerifyPhone {...verify} autoFocus />
    </Dialog>
  )
}
