import type { ReactNode } from 'react'
import { PasswordField } from '../../foundation/password-field.tsx'
import type { Trouble } from '../../foundation/trouble.ts'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'
import { useAccountErrorText } from './account-error.ts'

/** Asks for a password to be set; what is wrong with one says the server. */
export function NewPassword(props: {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly error: Trouble | undefined
  readonly isMissing: boolean
  readonly autoFocus?: boolean
}): ReactNode {
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const weak = props.error?.code === 'weak_password' ? say(props.error) : undefined
  return (
    <PasswordField
      label={at('new_password')}
      hint={at('password_hint')}
      value={props.value}
      onChange={props.onChange}
      error={props.isMissing ? at('password_missing') : weak}
      name="new_password"
      autoComplete="new-password"
      autoFocus={props.autoFocus ?? false}
    />
  )
}
