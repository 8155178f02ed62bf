import { type ReactNode, useState } from 'react'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { PasswordField } from '../foundation/password-field.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { StepUpDialog } from './step-up-dialog.tsx'
import { useAccountErrorText } from './ui/account-error.ts'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { NewPassword } from './ui/new-password.tsx'
import { Username } from './ui/username.tsx'
import { ownEmail, useChangePassword } from './use-profile.ts'

export type ChangePasswordProps = {
  /** Leads to `ResetPassword`, for who has no password yet; without it there is no link. */
  readonly onForgotPassword?: (() => void) | undefined
  /** How many digits a text's code has; 6 unless told. */
  readonly codeLength?: number | undefined
  readonly headingLevel?: HeadingLevel | undefined
}

/** Changes the password of who is signed in, and signs them out everywhere else. */
export function ChangePassword(props: ChangePasswordProps): ReactNode {
  const { headingLevel = 2, onForgotPassword, codeLength } = props
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const { user, change, stepUp } = useChangePassword()
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const [isMissing, setMissing] = useState(false)
  const [isChanged, setChanged] = useState(false)
  const { error, busy } = change
  const isCurrentWrong = error?.field === 'current_password'
  const submit = async () => {
    setChanged(false)
    change.reset()
    const isIncomplete = current === '' || password === ''
    setMissing(isIncomplete)
    if (isIncomplete || (await change.run({ current, password })) !== true) return
    setChanged(true)
    setCurrent('')
    setPassword('')
  }
  const currentError =
    isMissing && current === '' ? at('password_missing') : isCurrentWrong ? say(error) : undefined
  return (
    <Frame>
      <Heading level={headingLevel}>{at('change_password')}</Heading>
      <Form onSubmit={() => void submit()} busy={busy}>
        <Username value={ownEmail(user) ?? user?.phone ?? ''} />
        <PasswordField
          label={at('current_password')}
          value={current}
          onChange={setCurrent}
          error={currentError}
          name="current_password"
          autoComplete="current-password"
        />
        <NewPassword
          value={password}
          onChange={setPassword}
          error={error}
          isMissing={isMissing && password === ''}
        />
        {isCurrentWrong || error?.code === 'weak_password' ? null : <Failure error={error} />}
        {isChanged ? <Alert kind="success">{at('password_changed')}</Alert> : null}
        <Button type="submit" busy={busy && stepUp.need === undefined}>
          {at('change_password')}
        </Button>
        {onForgotPassword === undefined ? null : (
          <p className="cs-text">
            {at('no_password')}{' '}
            <Button kind="link" onClick={onForgotPassword}>
              {at('reset_password')}
            </Button>
          </p>
        )}
      </Form>
      <StepUpDialog stepUp={stepUp} codeLength={codeLength} />
    </Frame>
  )
}
