import { type ReactNode, useState } from 'react'
import { Button } from '../../foundation/button.tsx'
import { Form } from '../../foundation/form.tsx'
import type { Action } from '../../foundation/use-action.ts'
import { PhoneFieldOf } from '../../fields/phone-field.tsx'
import { usePhoneField } from '../../fields/use-phone-field.ts'
import { useTexts } from '../../texts/use-texts.ts'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'
import { type Meanings, useAccountErrorText } from './account-error.ts'
import { Failure } from './failure.tsx'

/** What every form with a number takes. */
export type PhoneStepProps = {
  readonly action: Action<[input: { phone: string }], void>
  /** What was typed before, E.164. */
  readonly phone: string | undefined
  /** The country that is chosen at first, ISO 3166-1 alpha-2. */
  readonly defaultCountry?: string | undefined
  readonly label?: string | undefined
  readonly submit?: string | undefined
  readonly meanings?: Meanings | undefined
  readonly autoFocus?: boolean | undefined
  readonly children?: ReactNode
}

/** Asks for a number and sends a code to it. */
export function PhoneStep(props: PhoneStepProps): ReactNode {
  const { action, phone, defaultCountry, label, submit, meanings, autoFocus = false, children } = props
  const t = useTexts()
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const field = usePhoneField({ value: phone, defaultCountry })
  const [isMissing, setMissing] = useState(false)
  const { error } = action
  const isField = error?.code === 'invalid_phone' || error?.field === 'phone'
  const send = async () => {
    const resolved = await field.resolve()
    setMissing(resolved === undefined)
    action.reset()
    if (resolved !== undefined) await action.run({ phone: resolved.to })
  }
  const wrong = isMissing ? (field.text === '' ? at('phone_missing') : t('error_invalid_phone')) : undefined
  return (
    <Form onSubmit={() => void send()} busy={action.busy}>
      <PhoneFieldOf
        phone={field}
        label={label ?? at('phone')}
        autoFocus={autoFocus}
        error={wrong ?? (isField ? say(error, meanings) : undefined)}
      />
      {isField ? null : <Failure error={error} meanings={meanings} />}
      <Button type="submit" busy={action.busy}>
        {submit ?? at('send_code')}
      </Button>
      {children}
    </Form>
  )
}
