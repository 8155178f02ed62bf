import { type ReactNode, useState } from 'react'
import type { User } from '@countersign/client'
import { Button } from '../foundation/button.tsx'
import { Dialog } from '../foundation/dialog.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading } from '../foundation/heading.tsx'
import { PasswordField } from '../foundation/password-field.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { SecondFactor } from './second-factor.tsx'
import { Choice } from './ui/choice.tsx'
import { CodeStep } from './ui/code-step.tsx'
import { Failure } from './ui/failure.tsx'
import { usePhoneText } from './ui/phone-text.ts'
import { Username } from './ui/username.tsx'
import { type SignInMethod, type UseSignIn, useSignIn } from './use-sign-in.ts'
import type { StepUp } from './use-step-up.ts'

/** Shows what `useStepUp` asks for, over the page; nothing where it asks for nothing. */
export function StepUpDialog({
  stepUp,
  codeLength,
}: {
  readonly stepUp: StepUp
  readonly codeLength?: number | undefined
}): ReactNode {
  const at = useAccountTexts()
  const { need } = stepUp
  return (
    <Dialog open={need !== undefined} onClose={stepUp.canceled} label={at('step_up')}>
      {need === undefined ? null : need.kind === 'sign_in' ? (
        <SignInAgain user={need.user} onDone={stepUp.passed} codeLength={codeLength} />
      ) : (
        <SecondFactor
          key={need.challenge.challenge_token}
          challenge={need.challenge}
          title={at('step_up')}
          intro={at('step_up_factor')}
          onPassed={stepUp.passed}
          onBack={stepUp.again}
          canRemember={false}
          hasBack={false}
          codeLength={codeLength}
        />
      )}
    </Dialog>
  )
}

function SignInAgain(props: {
  readonly user: User
  readonly onDone: () => void
  readonly codeLength: number | undefined
}): ReactNode {
  const { user, onDone, codeLength } = props
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const signIn = useSignIn({
    onSignedIn: onDone,
    method: user.phone === null ? 'password' : 'code',
    isKept: false,
  })
  const { step, challenge, sent, method } = signIn
  if (step === 'second_factor' && challenge !== undefined) {
    return (
      <SecondFactor
        key={challenge.challenge_token}
        challenge={challenge}
        onPassed={signIn.passed}
        onBack={signIn.back}
        canRemember={false}
        codeLength={codeLength}
      />
    )
  }
  const options: readonly { value: SignInMethod; label: string }[] = [
    { value: 'code', label: at('by_code') },
    { value: 'password', label: at('by_password') },
  ]
  return (
    <div className="cs-stack">
      <Heading>{at('step_up')}</Heading>
      <p className="cs-text">{at('step_up_sign_in')}</p>
      {user.phone === null || step === 'code' ? null : (
        <Choice label={at('sign_in_method')} options={options} value={method} onChange={signIn.setMethod} />
      )}
      {method === 'password' ? (
        <PasswordAgain signIn={signIn} identifier={user.phone ?? user.email ?? ''} />
      ) : sent === undefined ? (
        <Form
          busy={signIn.requestCode.busy}
          onSubmit={() => void signIn.requestCode.run({ phone: user.phone ?? '' })}
        >
          <Username value={user.phone ?? ''} />
          <Failure error={signIn.requestCode.error} />
          <Button type="submit" busy={signIn.requestCode.busy}>
            {at('send_code')}
          </Button>
        </Form>
      ) : (
        <CodeStep
          check={signIn.checkCode}
          resend={signIn.resend}
          resendAt={sent.resendAt}
          length={codeLength}
          intro={at('code_sent_to', { phone: phoneText(sent.phone) })}
          actions={
            <Button kind="link" onClick={() => signIn.setMethod('password')}>
              {at('by_password')}
            </Button>
          }
        />
      )}
    </div>
  )
}

function PasswordAgain({
  signIn,
  identifier,
}: {
  readonly signIn: UseSignIn
  readonly identifier: string
}): ReactNode {
  const at = useAccountTexts()
  const [password, setPassword] = useState('')
  const [isMissing, setMissing] = useState(false)
  const { checkPassword } = signIn
  const { busy, error } = checkPassword
  const submit = () => {
    setMissing(password === '')
    if (password !== '') void checkPassword.run({ identifier, password })
  }
  return (
    <Form busy={busy} onSubmit={submit}>
      <Username value={identifier} />
      <PasswordField
        label={at('password')}
        value={password}
        onChange={setPassword}
        error={isMissing ? at('password_missing') : undefined}
        name="password"
        autoComplete="current-password"
      />
      <Failure error={error} meanings={{ invalid_credentials: 'current_wrong' }} />
      <Button type="submit" busy={busy}>
        {at('sign_in')}
      </Button>
    </Form>
  )
}
