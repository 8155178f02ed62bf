import { type ReactNode, useState } from 'react'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { PasswordField } from '../foundation/password-field.tsx'
import { TextField } from '../foundation/text-field.tsx'
import { PhoneFieldOf } from '../fields/phone-field.tsx'
import { usePhoneField } from '../fields/use-phone-field.ts'
import { useTexts } from '../texts/use-texts.ts'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { SecondFactor } from './second-factor.tsx'
import { useAccountErrorText } from './ui/account-error.ts'
import { CodeStep } from './ui/code-step.tsx'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { isolate, usePhoneText } from './ui/phone-text.ts'
import { useKeptFocus } from './ui/use-kept-focus.ts'
import { type SignUpOutcome, type UseSignUp, useSignUp } from './use-sign-up.ts'

export type SignUpProps = {
  /** Called once, when the number is proven and the person is signed in. */
  readonly onSignedUp?: (outcome: SignUpOutcome) => void
  /** Leads to `SignIn`; without it there is no link. */
  readonly onSignIn?: () => void
  /** What is asked for besides number and password; both unless told, and neither has to be given. */
  readonly ask?: readonly ('name' | 'email')[]
  /** The country that is chosen at first, ISO 3166-1 alpha-2. */
  readonly defaultCountry?: string
  /** How many digits a code has; 6 unless told. */
  readonly codeLength?: number
  readonly headingLevel?: HeadingLevel
}

/** Makes an account with a password, once its number is proven. */
export function SignUp(props: SignUpProps): ReactNode {
  const { codeLength, headingLevel, onSignIn } = props
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const signUp = useSignUp({ onSignedUp: props.onSignedUp })
  const { step, sent, challenge, outcome } = signUp
  const heading = useKeptFocus(step)
  if (step === 'second_factor' && challenge !== undefined) {
    return (
      <SecondFactor
        key={challenge.challenge_token}
        challenge={challenge}
        onPassed={signUp.passed}
        onBack={signUp.back}
        canStartOver
        headingLevel={headingLevel}
      />
    )
  }
  const title = (
    <Heading level={headingLevel} headingRef={heading}>
      {at('sign_up')}
    </Heading>
  )
  if (outcome !== undefined) return <Outcome outcome={outcome}>{title}</Outcome>
  return (
    <Frame>
      {title}
      {/* Hidden and not taken away, so that who corrects the number finds the rest as it was. */}
      <div hidden={step === 'code'}>
        <Details {...props} signUp={signUp} />
      </div>
      {step === 'code' && sent !== undefined ? (
        <CodeStep
          check={signUp.checkCode}
          resend={signUp.resend}
          resendAt={sent.resendAt}
          length={codeLength}
          intro={at('code_sent_to', { phone: phoneText(sent.phone) })}
          hint={at('no_code')}
          submit={at('create_account')}
          actions={
            <Button kind="link" onClick={signUp.back}>
              {at('change_number')}
            </Button>
          }
        />
      ) : null}
      {onSignIn === undefined ? null : (
        <p className="cs-text cs-footer">
          {at('have_account')}{' '}
          <Button kind="link" onClick={onSignIn}>
            {at('sign_in')}
          </Button>
        </p>
      )}
    </Frame>
  )
}

function Details({
  signUp,
  ask = ['name', 'email'],
  defaultCountry,
}: SignUpProps & { readonly signUp: UseSignUp }): ReactNode {
  const t = useTexts()
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const field = usePhoneField({ value: signUp.lastPhone, defaultCountry })
  const [password, setPassword] = useState('')
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [isPhoneWrong, setPhoneWrong] = useState(false)
  const [isPasswordMissing, setPasswordMissing] = useState(false)
  const { register } = signUp
  const wrongField = register.error?.field
  const submit = async () => {
    const resolved = await field.resolve()
    register.reset()
    setPhoneWrong(resolved === undefined)
    setPasswordMissing(password === '')
    if (resolved === undefined || password === '') return
    const given = { name: name.trim(), email: email.trim() }
    await register.run({
      phone: resolved.to,
      password,
      ...(given.name === '' ? {} : { name: given.name }),
      ...(given.email === '' ? {} : { email: given.email }),
    })
  }
  const phoneError = field.text === '' ? at('phone_missing') : t('error_invalid_phone')
  const errorOf = (name: string) => (wrongField === name ? say(register.error) : undefined)
  const optional = (label: string) => `${label} (${at('optional')})`
  return (
    <Form onSubmit={() => void submit()} busy={register.busy}>
      {ask.includes('name') ? (
        <TextField
          label={optional(at('name'))}
          value={name}
          onChange={setName}
          error={errorOf('name')}
          name="name"
          autoComplete="name"
        />
      ) : null}
      <PhoneFieldOf phone={field} label={at('phone')} error={isPhoneWrong ? phoneError : errorOf('phone')} />
      {ask.includes('email') ? (
        <TextField
          label={optional(at('email'))}
          value={email}
          onChange={setEmail}
          error={errorOf('email')}
          name="email"
          type="email"
          autoComplete="email"
          className="cs-tel"
          dir="ltr"
        />
      ) : null}
      <PasswordField
        label={at('password')}
        hint={at('password_hint')}
        value={password}
        onChange={setPassword}
        error={isPasswordMissing ? at('password_missing') : errorOf('password')}
        name="password"
        autoComplete="new-password"
      />
      {['name', 'phone', 'email', 'password'].includes(wrongField ?? '') ? null : (
        <Failure error={register.error} />
      )}
      <Button type="submit" busy={register.busy}>
        {at('continue')}
      </Button>
    </Form>
  )
}

function Outcome(props: { readonly outcome: SignUpOutcome; readonly children: ReactNode }): ReactNode {
  const at = useAccountTexts()
  const { user, isExisting, isEmailLeftOut } = props.outcome
  return (
    <Frame>
      {props.children}
      <Alert kind="success">
        {at('signed_in_as', { name: user.name ?? isolate(user.phone ?? user.email ?? '') })}
      </Alert>
      {isExisting ? <Alert kind="info">{at('account_existed')}</Alert> : null}
      {isEmailLeftOut ? <Alert kind="info">{at('email_not_added')}</Alert> : null}
    </Frame>
  )
}
