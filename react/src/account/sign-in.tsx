import { type ReactNode, useState } from 'react'
import type { User } from '@countersign/client'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { PasswordField } from '../foundation/password-field.tsx'
import { TextField } from '../foundation/text-field.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { ChallengeEnded, SecondFactor } from './second-factor.tsx'
import { useAccountErrorText } from './ui/account-error.ts'
import { Choice } from './ui/choice.tsx'
import { CodeStep } from './ui/code-step.tsx'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { identifierOf } from './ui/identifier.ts'
import { PhoneStep } from './ui/phone-step.tsx'
import { isolate, usePhoneText } from './ui/phone-text.ts'
import { useKeptFocus } from './ui/use-kept-focus.ts'
import { type SignInMethod, type UseSignIn, useSignIn } from './use-sign-in.ts'

export type SignInProps = {
  /** Called once, when both factors that the account wants were shown. */
  readonly onSignedIn?: (user: User) => void
  /** Which way is shown first; `code` unless told. */
  readonly method?: SignInMethod
  /** The ways there are; both unless told. */
  readonly methods?: readonly SignInMethod[]
  /** Leads to `ResetPassword`; without it there is no link. */
  readonly onForgotPassword?: () => void
  /** Leads to `SignUp`; without it there is no link. */
  readonly onSignUp?: () => void
  /** The country that is chosen at first, ISO 3166-1 alpha-2. */
  readonly defaultCountry?: string
  /** How many digits a code has; 6 unless told. */
  readonly codeLength?: number
  readonly headingLevel?: HeadingLevel
}

const BOTH: readonly SignInMethod[] = ['code', 'password']

/** Signs in by a code to the number or with a password, second factor included. */
export function SignIn(props: SignInProps): ReactNode {
  const { methods = BOTH, codeLength, headingLevel, onSignUp } = props
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const signIn = useSignIn({ onSignedIn: props.onSignedIn, method: props.method ?? methods[0] })
  const { step, challenge, sent, user } = signIn
  const heading = useKeptFocus(step)
  if (step === 'second_factor' && challenge !== undefined) {
    return (
      <SecondFactor
        key={challenge.challenge_token}
        challenge={challenge}
        onPassed={signIn.passed}
        onBack={signIn.back}
        canStartOver={signIn.first === 'code'}
        codeLength={codeLength}
        headingLevel={headingLevel}
      />
    )
  }
  if (step === 'done') {
    const name = user?.name ?? isolate(user?.phone ?? user?.email ?? '')
    return (
      <Frame>
        <Heading level={headingLevel} headingRef={heading}>
          {at('sign_in')}
        </Heading>
        <Alert kind="success">{at('signed_in_as', { name })}</Alert>
      </Frame>
    )
  }
  return (
    <Frame>
      <Heading level={headingLevel} headingRef={heading}>
        {at('sign_in')}
      </Heading>
      {signIn.isChallengeEnded ? <ChallengeEnded /> : null}
      {step === 'code' && sent !== undefined ? (
        <CodeStep
          check={signIn.checkCode}
          resend={signIn.resend}
          resendAt={sent.resendAt}
          length={codeLength}
          intro={at('code_sent_to', { phone: phoneText(sent.phone) })}
          hint={at('no_code')}
          submit={at('sign_in')}
          actions={
            <Button kind="link" onClick={signIn.changeNumber}>
              {at('change_number')}
            </Button>
          }
        />
      ) : (
        <FirstStep {...props} signIn={signIn} methods={methods} />
      )}
      {onSignUp === undefined ? null : (
        <p className="cs-text cs-footer">
          {at('new_here')}{' '}
          <Button kind="link" onClick={onSignUp}>
            {at('sign_up')}
          </Button>
        </p>
      )}
    </Frame>
  )
}

function FirstStep(
  props: SignInProps & { readonly signIn: UseSignIn; readonly methods: readonly SignInMethod[] },
): ReactNode {
  const { signIn, methods, defaultCountry } = props
  const at = useAccountTexts()
  const { method } = signIn
  const labels = { code: at('by_code'), password: at('by_password') }
  return (
    <>
      {methods.length < 2 ? null : (
        <Choice
          label={at('sign_in_method')}
          options={methods.map((value) => ({ value, label: labels[value] }))}
          value={method}
          onChange={signIn.setMethod}
        />
      )}
      {method === 'code' ? (
        <PhoneStep action={signIn.requestCode} phone={signIn.lastPhone} defaultCountry={defaultCountry} />
      ) : (
        <PasswordStep
          signIn={signIn}
          defaultCountry={defaultCountry}
          onForgotPassword={props.onForgotPassword}
        />
      )}
    </>
  )
}

function PasswordStep(props: {
  readonly signIn: UseSignIn
  readonly defaultCountry: string | undefined
  readonly onForgotPassword: (() => void) | undefined
}): ReactNode {
  const { checkPassword } = props.signIn
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const [typed, setTyped] = useState(props.signIn.lastPhone ?? '')
  const [password, setPassword] = useState('')
  const [wrong, setWrong] = useState<'identifier' | 'password'>()
  const { error } = checkPassword
  const submit = async () => {
    checkPassword.reset()
    const identifier = await identifierOf(typed, props.defaultCountry)
    setWrong(identifier === undefined ? 'identifier' : password === '' ? 'password' : undefined)
    if (identifier !== undefined && password !== '') await checkPassword.run({ identifier, password })
  }
  const isIdentifier = error?.field === 'identifier'
  return (
    <Form onSubmit={() => void submit()} busy={checkPassword.busy}>
      <TextField
        label={at('identifier')}
        value={typed}
        onChange={setTyped}
        error={wrong === 'identifier' ? at('identifier_invalid') : isIdentifier ? say(error) : undefined}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
      />
      <PasswordField
        label={at('password')}
        value={password}
        onChange={setPassword}
        error={wrong === 'password' ? at('password_missing') : undefined}
        name="password"
        autoComplete="current-password"
      />
      {isIdentifier ? null : <Failure error={error} />}
      <Button type="submit" busy={checkPassword.busy}>
        {at('sign_in')}
      </Button>
      {props.onForgotPassword === undefined ? null : (
        <div className="cs-actions">
          <Button kind="link" onClick={props.onForgotPassword}>
            {at('forgot_password')}
          </Button>
        </div>
      )}
    </Form>
  )
}
