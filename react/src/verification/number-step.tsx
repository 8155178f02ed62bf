import type { Channel } from '@countersign/client'
import { type ReactNode, useEffect, useRef } from 'react'
import { PhoneFieldOf } from '../fields/phone-field.tsx'
import { usePhoneField } from '../fields/use-phone-field.ts'
import { Button } from '../foundation/button.tsx'
import { errorText } from '../foundation/error-text.ts'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { isolated } from './isolated.ts'
import type { VerificationFlow } from './use-verification.ts'

/** The step that asks for the number. */
export function NumberStep(props: {
  readonly flow: VerificationFlow
  readonly channels: readonly [Channel, ...Channel[]]
  readonly phone?: string | undefined
  readonly defaultCountry?: string | undefined
  readonly countries?: readonly string[] | undefined
  readonly headingLevel?: HeadingLevel | undefined
  readonly autoFocus: boolean
  readonly onSent: (text: string) => void
}): ReactNode {
  const { flow, channels, countries, defaultCountry, headingLevel, autoFocus, onSent } = props
  const t = useTexts()
  const input = useRef<HTMLInputElement>(null)
  const phone = usePhoneField({ value: flow.phone?.to ?? props.phone, defaultCountry })
  const { trouble } = flow
  useEffect(() => {
    if (trouble !== undefined) input.current?.focus()
  }, [trouble])

  const send = async (channel: Channel) => {
    if (phone.text.trim() === '') return flow.setTrouble({ code: 'incomplete_phone', field: 'to' })
    const resolved = await phone.resolve()
    if (resolved === undefined) return flow.setTrouble({ code: 'invalid_phone', field: 'to' })
    if (await flow.start(resolved, channel))
      onSent(t(`sent_${channel}`, { phone: isolated(resolved.display) }))
  }
  const busy = flow.busy === 'start'
  return (
    <Form onSubmit={() => void send(channels[0])} busy={busy}>
      <Heading level={headingLevel}>{t('number_title')}</Heading>
      <PhoneFieldOf
        phone={phone}
        countries={countries}
        hint={t('phone_hint')}
        error={trouble === undefined ? undefined : errorText(t, trouble)}
        autoFocus={autoFocus}
        inputRef={input}
      />
      <Button type="submit" busy={busy}>
        {t(`send_${channels[0]}`)}
      </Button>
      {channels.slice(1).map((channel) => (
        <Button key={channel} kind="quiet" waiting={busy} onClick={() => void send(channel)}>
          {t(`send_${channel}`)}
        </Button>
      ))}
    </Form>
  )
}
