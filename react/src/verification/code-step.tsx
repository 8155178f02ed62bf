import type { Channel } from '@countersign/client'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { CodeField } from '../fields/code-field.tsx'
import { Button } from '../foundation/button.tsx'
import { errorText } from '../foundation/error-text.ts'
import { Form } from '../foundation/form.tsx'
import { Heading, type HeadingLevel } from '../foundation/heading.tsx'
import { useCountdown } from '../foundation/use-countdown.ts'
import { useTexts } from '../texts/use-texts.ts'
import { isolated } from './isolated.ts'
import { ResendButton } from './resend-button.tsx'
import type { VerificationFlow } from './use-verification.ts'

/** The step that asks for the code. */
export function CodeStep(props: {
  readonly flow: VerificationFlow
  readonly channels: readonly Channel[]
  readonly length: number
  readonly headingLevel?: HeadingLevel | undefined
  readonly autoFocus: boolean
  readonly onSent: (text: string) => void
}): ReactNode {
  const { flow, channels, length, headingLevel, autoFocus, onSent } = props
  const t = useTexts()
  const [code, setCode] = useState('')
  const input = useRef<HTMLInputElement>(null)
  const { trouble, verification, isEnded, busy } = flow
  const phone = isolated(flow.phone?.display ?? '')
  const focus = () => {
    input.current?.focus()
    input.current?.select()
  }
  useEffect(() => {
    if (trouble !== undefined && !flow.isRestoring) focus()
  }, [trouble, flow.isRestoring])

  const check = (value: string) => {
    if (value.length < length) flow.setTrouble({ code: 'incomplete_code', field: 'code' })
    else if (!isEnded) void flow.check(value)
  }
  const resend = async (channel?: Channel) => {
    if (!(await flow.resend(channel))) return
    setCode('')
    focus()
    onSent(t('sent_again', { phone }))
  }
  const hasMore = isEnded || (verification?.sends_left ?? 0) > 0
  return (
    <Form onSubmit={() => check(code)} busy={busy === 'check'}>
      <Heading level={headingLevel}>{t('code_title')}</Heading>
      <p className="cs-text">{t(`sent_${verification?.channel ?? 'sms'}`, { phone })}</p>
      <CodeField
        length={length}
        value={code}
        onChange={setCode}
        onComplete={check}
        error={trouble === undefined ? undefined : errorText(t, trouble)}
        autoFocus={autoFocus}
        inputRef={input}
      />
      {isEnded ? null : (
        <Button type="submit" busy={busy === 'check'}>
          {t('check')}
        </Button>
      )}
      <div className={isEnded ? 'cs-stack' : 'cs-actions'}>
        {hasMore ? (
          <ResendButton
            at={verification?.resend_at}
            busy={busy === 'resend'}
            waiting={flow.isRestoring}
            isNew={isEnded}
            onResend={() => void resend()}
          />
        ) : null}
        <Button kind="link" onClick={flow.changeNumber}>
          {t('change_number')}
        </Button>
        {hasMore
          ? channels
              .filter((channel) => channel !== verification?.channel)
              .map((channel) => (
                <OtherChannel
                  key={channel}
                  at={flow.isRestoring ? undefined : verification?.resend_at}
                  waiting={flow.isRestoring || busy !== undefined}
                  onClick={() => void resend(channel)}
                >
                  {t(`use_${channel}`)}
                </OtherChannel>
              ))
          : null}
      </div>
    </Form>
  )
}

/** The wait belongs to the number, so that it holds for every way of sending. */
function OtherChannel(props: {
  readonly at: string | undefined
  readonly waiting: boolean
  readonly onClick: () => void
  readonly children: ReactNode
}): ReactNode {
  const left = useCountdown(props.at)
  return (
    <Button kind="link" waiting={props.waiting || left > 0} onClick={props.onClick}>
      {props.children}
    </Button>
  )
}
