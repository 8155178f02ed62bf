import { type ReactNode, useState } from 'react'
import type { Factor, SecondFactorRequired, User } from '@countersign/client'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { TextField } from '../foundation/text-field.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { type Meanings, useAccountErrorText } from './ui/account-error.ts'
import { Check } from './ui/check.tsx'
import { CodeStep } from './ui/code-step.tsx'
import { ConfirmDialog } from './ui/confirm-dialog.tsx'
import { Failure } from './ui/failure.tsx'
import { Frame } from './ui/frame.tsx'
import { isolate } from './ui/phone-text.ts'
import { type UseSecondFactor, useSecondFactor } from './use-second-factor.ts'

export type SecondFactorProps = {
  /** What a sign-in answered. */
  readonly challenge: SecondFactorRequired
  readonly onPassed: (user: User) => void
  /** The challenge is used up, or the person goes back; `ended` says which. */
  readonly onBack: (ended: boolean) => void
  /** Whether this device can be remembered; true unless told. */
  readonly canRemember?: boolean
  /** True after a code to the number, when an account that was somebody else's may be left alone. */
  readonly canStartOver?: boolean
  /** How many digits a text's code has; 6 unless told. */
  readonly codeLength?: number | undefined
  readonly headingLevel?: HeadingLevel | undefined
  readonly title?: string
  readonly intro?: string
  /** False where a dialog has a button of its own to leave. */
  readonly hasBack?: boolean
}

/** The words of each factor: how it is asked for, and how it is chosen. */
const WORDS = {
  totp: { use: 'use_totp' },
  sms: { use: 'use_sms' },
  backup_code: { use: 'use_backup' },
} as const
const WRONG: Record<Factor, Meanings> = {
  totp: { invalid_code: 'totp_wrong' },
  sms: {},
  backup_code: { invalid_code: 'backup_wrong' },
}

/** Asks for a second factor of those that a challenge names. */
export function SecondFactor(props: SecondFactorProps): ReactNode {
  const {
    challenge,
    onPassed,
    onBack,
    canRemember = true,
    canStartOver = false,
    headingLevel,
    hasBack = true,
  } = props
  const at = useAccountTexts()
  const [isRemembered, setRemembered] = useState(false)
  const factor = useSecondFactor({ challenge, onPassed, onEnded: () => onBack(true) })
  const { factors, factor: current } = factor
  const others = factors.filter((other) => other !== current)
  return (
    <Frame>
      <Heading level={headingLevel}>{props.title ?? at('second_factor')}</Heading>
      {props.intro === undefined ? null : <p className="cs-text">{props.intro}</p>}
      {current === undefined ? null : (
        <FactorForm
          key={current}
          state={factor}
          factor={current}
          isRemembered={isRemembered}
          codeLength={props.codeLength}
        >
          {canRemember ? (
            <Check
              label={at('remember_device')}
              hint={at('remember_hint')}
              checked={isRemembered}
              onChange={setRemembered}
            />
          ) : null}
        </FactorForm>
      )}
      {canStartOver && !factors.includes('sms') ? <p className="cs-hint">{at('no_text')}</p> : null}
      <div className="cs-actions">
        {others.map((other) => (
          <Button key={other} kind="link" onClick={() => factor.choose(other)}>
            {at(WORDS[other].use)}
          </Button>
        ))}
        {canStartOver ? <StartOver state={factor} /> : null}
        {hasBack ? (
          <Button kind="link" onClick={() => onBack(false)}>
            {at('back_to_sign_in')}
          </Button>
        ) : null}
      </div>
    </Frame>
  )
}

function FactorForm(props: {
  readonly state: UseSecondFactor
  readonly factor: Factor
  readonly isRemembered: boolean
  readonly codeLength?: number | undefined
  readonly children: ReactNode
}): ReactNode {
  const { state, factor, isRemembered, codeLength, children } = props
  const at = useAccountTexts()
  const { check, send } = state
  const rememberDevice = isRemembered
  if (factor === 'backup_code') {
    return (
      <BackupCodeForm state={state} isRemembered={isRemembered}>
        {children}
      </BackupCodeForm>
    )
  }
  const byCode = { ...check, run: (code: string) => check.run({ code, rememberDevice }) }
  if (factor === 'totp') {
    return (
      <CodeStep check={byCode} intro={at('factor_totp')} meanings={WRONG.totp}>
        {children}
      </CodeStep>
    )
  }
  // A text that could not be sent is said before anybody waits for it.
  const hasFailed = send.error !== undefined && state.resendAt === undefined
  return (
    <CodeStep
      check={byCode}
      intro={hasFailed ? undefined : at('factor_sms', { phone: isolate(state.phoneHint ?? '') })}
      length={codeLength}
      resend={send}
      resendAt={state.resendAt}
    >
      {children}
    </CodeStep>
  )
}

function BackupCodeForm(props: {
  readonly state: UseSecondFactor
  readonly isRemembered: boolean
  readonly children: ReactNode
}): ReactNode {
  const { check } = props.state
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const [code, setCode] = useState('')
  const [isEmpty, setEmpty] = useState(false)
  const isWrong = check.error?.code === 'invalid_code'
  const wrong = isEmpty ? at('backup_wrong') : isWrong ? say(check.error, WRONG.backup_code) : undefined
  const submit = () => {
    setEmpty(code.trim() === '')
    if (code.trim() !== '') void check.run({ code: code.trim(), rememberDevice: props.isRemembered })
  }
  return (
    <Form onSubmit={submit} busy={check.busy}>
      <p className="cs-text">{at('factor_backup')}</p>
      <TextField
        label={at('backup_code')}
        value={code}
        onChange={setCode}
        error={wrong}
        name="backup_code"
        className="cs-mono"
        dir="ltr"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
      />
      {props.children}
      {isWrong ? null : <Failure error={check.error} />}
      <Button type="submit" busy={check.busy}>
        {at('continue')}
      </Button>
    </Form>
  )
}

function StartOver({ state }: { readonly state: UseSecondFactor }): ReactNode {
  const at = useAccountTexts()
  const [isAsking, setAsking] = useState(false)
  return (
    <>
      <Button kind="link" onClick={() => setAsking(true)}>
        {at('start_over')}
      </Button>
      <ConfirmDialog
        open={isAsking}
        title={at('start_over_title')}
        text={at('start_over_text')}
        action={at('start_over_do')}
        busy={state.startOver.busy}
        error={state.startOver.error}
        onConfirm={() => void state.startOver.run()}
        onClose={() => setAsking(false)}
      />
    </>
  )
}

/** What is said when a challenge has ended. */
export function ChallengeEnded(): ReactNode {
  const at = useAccountTexts()
  return <Alert kind="info">{at('challenge_ended')}</Alert>
}
