import { type ReactNode, useState } from 'react'
import { Alert } from '../foundation/alert.tsx'
import { Button } from '../foundation/button.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useAccountTexts } from '../texts-account/use-account-texts.ts'
import { StepUpDialog } from './step-up-dialog.tsx'
import { CodeStep } from './ui/code-step.tsx'
import { Frame } from './ui/frame.tsx'
import { PhoneStep } from './ui/phone-step.tsx'
import { usePhoneText } from './ui/phone-text.ts'
import { useKeptFocus } from './ui/use-kept-focus.ts'
import { type UseChangePhone, useChangePhone, useUndoPhoneChange } from './use-change-phone.ts'

export type ChangePhoneProps = {
  /** The country that is chosen at first, ISO 3166-1 alpha-2. */
  readonly defaultCountry?: string | undefined
  /** How many digits a code has; 6 unless told. */
  readonly codeLength?: number | undefined
  readonly headingLevel?: HeadingLevel | undefined
}

/** Gives the account of who is signed in another number, once that is proven. */
export function ChangePhone({ defaultCountry, codeLength, headingLevel = 2 }: ChangePhoneProps): ReactNode {
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const change = useChangePhone()
  const [isOpen, setOpen] = useState(false)
  const { user, step } = change
  const heading = useKeptFocus(isOpen ? step : 'shut')
  const phone = user?.phone ?? null
  return (
    <Frame>
      <Heading level={headingLevel} headingRef={heading}>
        {at('phone')}
      </Heading>
      {step === 'done' ? (
        <Alert kind="success">
          {at('phone_changed', { phone: phoneText(phone ?? '') })} {at('phone_changed_undo')}
        </Alert>
      ) : user === undefined ? null : (
        <p className="cs-text">
          {phone === null ? at('no_number') : at('your_number', { phone: phoneText(phone) })}
        </p>
      )}
      {isOpen && step !== 'done' ? (
        <Steps
          change={change}
          defaultCountry={defaultCountry}
          codeLength={codeLength}
          onCancel={() => {
            setOpen(false)
            change.reset()
          }}
        />
      ) : (
        <div className="cs-actions">
          <Button
            kind="quiet"
            onClick={() => {
              change.reset()
              setOpen(true)
            }}
          >
            {at(phone === null ? 'add_phone' : 'change_phone')}
          </Button>
        </div>
      )}
      <StepUpDialog stepUp={change.stepUp} codeLength={codeLength} />
    </Frame>
  )
}

function Steps(props: {
  readonly change: UseChangePhone
  readonly defaultCountry: string | undefined
  readonly codeLength: number | undefined
  readonly onCancel: () => void
}): ReactNode {
  const { change, defaultCountry, codeLength, onCancel } = props
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const cancel = (
    <Button kind="link" onClick={onCancel}>
      {at('cancel')}
    </Button>
  )
  if (change.sent === undefined) {
    return (
      <PhoneStep
        action={change.start}
        phone={change.lastPhone}
        defaultCountry={defaultCountry}
        label={at('new_phone')}
        autoFocus
      >
        <div className="cs-actions">{cancel}</div>
      </PhoneStep>
    )
  }
  return (
    <CodeStep
      check={change.checkCode}
      resend={change.resend}
      resendAt={change.sent.resendAt}
      length={codeLength}
      intro={at('code_sent_to', { phone: phoneText(change.sent.phone) })}
      hint={at('no_code')}
      submit={at('confirm')}
      actions={
        <>
          <Button kind="link" onClick={change.changeNumber}>
            {at('change_number')}
          </Button>
          {cancel}
        </>
      }
    />
  )
}

export type UndoPhoneChangeProps = Pick<
  ChangePhoneProps,
  'defaultCountry' | 'codeLength' | 'headingLevel'
> & {
  readonly onDone?: () => void
  /** Leads to `ResetPassword`; without it there is no button. */
  readonly onResetPassword?: () => void
}

/** Takes a change of number back, for whoever has the old phone; it wants no session. */
export function UndoPhoneChange(props: UndoPhoneChangeProps): ReactNode {
  const { defaultCountry, codeLength, headingLevel, onResetPassword } = props
  const at = useAccountTexts()
  const phoneText = usePhoneText()
  const undo = useUndoPhoneChange({ onDone: props.onDone })
  const { step, sent } = undo
  const heading = useKeptFocus(step)
  return (
    <Frame>
      <Heading level={headingLevel} headingRef={heading}>
        {at('undo_title')}
      </Heading>
      {step === 'done' ? (
        <>
          <Alert kind="success">{at('undo_done')}</Alert>
          {onResetPassword === undefined ? null : (
            <Button onClick={onResetPassword}>{at('reset_password')}</Button>
          )}
        </>
      ) : step === 'code' && sent !== undefined ? (
        <CodeStep
          check={undo.checkCode}
          resend={undo.resend}
          resendAt={sent.resendAt}
          length={codeLength}
          intro={at('code_sent_to', { phone: phoneText(sent.phone) })}
          submit={at('undo_do')}
          meanings={{ invalid_code: 'undo_wrong' }}
          actions={
            <Button kind="link" onClick={undo.changeNumber}>
              {at('change_number')}
            </Button>
          }
        />
      ) : (
        <>
          <p className="cs-text">{at('undo_intro')}</p>
          <PhoneStep
            action={undo.start}
            phone={undo.lastPhone}
            defaultCountry={defaultCountry}
            label={at('old_phone')}
          />
        </>
      )}
    </Frame>
  )
}
