import type { ReactNode } from 'react'
import { TextField } from '../../foundation/text-field.tsx'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'

/** Whose password it is, to be seen by the person and by their password manager. */
export function Username({ value }: { readonly value: string | undefined }): ReactNode {
  const at = useAccountTexts()
  return (
    <TextField
      label={at('your_account')}
      value={value ?? ''}
      onChange={() => {}}
      name="username"
      autoComplete="username"
      dir="ltr"
      className="cs-tel"
      readOnly
    />
  )
}
