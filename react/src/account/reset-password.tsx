import { type ReactNode, useState } from 'react'
import type { User } from '@countersign/client'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { SecondFactor } from './second-factor.tsx'
import { CodeStep } from './ui/code-step.tsx'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { NewPassword } from './ui/new-password.tsx'
import { PhoneStep } from './ui/phone-step.tsx'
import { usePhoneText } from './ui/phone-text.ts'
import { Username } from './ui/username.tsx'
import { useKeptFocus } from './ui/use-kept-focus.ts'
import { type UseResetPassword, useResetPassword } from './use-reset-password.ts'

export type ResetPasswordProps = {
  /** Called once, where the new password could be signed in with at once. */
  readonly onSignedIn?: (user: User) => void
  /** Leads to `SignIn`; without it there is no link. */
  readonly onSignIn?: () => void
  /** The country that is chosen at first, ISO 3166-1 alpha-2. */
  readonly defaultCountry?: string
  /** How many digits a code has; 6 unless told. */
  readonly codeLength?: number
  readonly headingLevel?: HeadingLevel
}

/** Sets a new password with a code to the number of the account, and signs in with it. */
export function ResetPassword(props: ResetPasswordProps): ReactNode {
  const { onSignIn, headingLevel } = props
  const at = useAccountTexts()
  const reset = useResetPassword({ onSignedIn: props.onSignedIn })
  const { step, challenge, user } = reset
  const heading = useKeptFocus(step)
  if (step === 'second_factor' && challenge !== undefined) {
    return (
      <Frame>
        <SecondFactor
          key={challenge.challenge_token}
          challenge={challenge}
          onPassed={reset.passed}
          onBack={reset.leave}
          headingLevel={headingLevel}
        />
      </Frame>
    )
  }
  return (
    <Frame>
      <Heading level={headingLevel} headingRef={heading}>
        {at('reset_password')}
      </Heading>
      {step === 'done' ? (
        <Alert kind="success">{at(user === undefined ? 'password_set' : 'password_set_signed_in')}</Alert>
      ) : (
        <Steps {...props} reset={reset} />
      )}
      {onSignIn === undefined || user !== undefined ? null : (
        <div className="cs-actions">
          <Button kind="link" onClick={onSignIn}>
            {at('back_to_sign_in')}
          </Button>
        </div>
      )}
    </Frame>
  )
}

function Steps({
  reset,
  codeLength,
  defaultCountry,
}: ResetPasswordProps & { readonly reset: UseResetPassword }): ReactNode {
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const { step, sent } = reset
  if (step === 'password') return <PasswordStep reset={reset} />
  if (step === 'code' && sent !== undefined) {
    return (
      <CodeStep
        check={reset.checkCode}
        resend={reset.resend}
        resendAt={sent.resendAt}
        length={codeLength}
        intro={at('reset_sent_to', { phone: phoneText(sent.phone) })}
        hint={at('reset_no_code')}
        actions={
          <Button kind="link" onClick={reset.changeNumber}>
            {at('change_number')}
          </Button>
        }
      />
    )
  }
  return (
    <>
      {reset.isEnded ? <Alert kind="info">{at('reset_ended')}</Alert> : null}
      <p className="cs-text">{at('reset_intro')}</p>
      <PhoneStep action={reset.requestCode} phone={reset.lastPhone} defaultCountry={defaultCountry} />
    </>
  )
}

function PasswordStep({ reset }: { readonly reset: UseResetPassword }): ReactNode {
  const at = useAccountTexts()
  const [password, setPassword] = useState('')
  const [isMissing, setMissing] = useState(false)
  const { error, busy } = reset.setPassword
  return (
    <Form
      busy={busy}
      onSubmit={() => {
        setMissing(password === '')
        if (password !== '') void reset.setPassword.run(password)
      }}
    >
      <Username value={reset.lastPhone} />
      <NewPassword value={password} onChange={setPassword} error={error} isMissing={isMissing} autoFocus />
      {error?.code === 'weak_password' ? null : <Failure error={error} />}
      <Button type="submit" busy={busy}>
        {at('set_password')}
      </Button>
    </Form>
  )
}
