import { type ReactNode, useState } from 'react'
import { Button } from '../../foundation/button.tsx'
import { Form } from '../../foundation/form.tsx'
import type { Action } from '../../foundation/use-action.ts'
import { CodeField } from '../../fields/code-field.tsx'
import { useTexts } from '../../texts/use-texts.ts'
import { useAccountTexts } from '../../texts-account/use-account-texts.ts'
import { type Meanings, useAccountErrorText } from './account-error.ts'
import { Failure } from './failure.tsx'
import { Resend } from './resend.tsx'

/** A code that is on its way. */
export type CodeStepProps = {
  readonly check: Action<[code: string], unknown>
  /** Undefined for an app, whose codes nobody sends. */
  readonly resend?: Action<[], boolean> | undefined
  readonly resendAt?: string | undefined
  /** Where it went, in words. */
  readonly intro?: ReactNode
  readonly hint?: ReactNode
  readonly label?: string | undefined
  readonly submit?: string | undefined
  readonly length?: number | undefined
  readonly meanings?: Meanings | undefined
  /** Above the button. */
  readonly children?: ReactNode
  /** Below the button, beside the one that sends again. */
  readonly actions?: ReactNode
}

/** Asks for a code; a whole one is sent by itself, once. */
export function CodeStep(props: CodeStepProps): ReactNode {
  const {
    check,
    resend,
    resendAt,
    intro,
    hint,
    label,
    submit,
    length = 6,
    meanings,
    children,
    actions,
  } = props
  const t = useTexts()
  const at = useAccountTexts()
  const say = useAccountErrorText()
  const [code, setCode] = useState('')
  const [isShort, setShort] = useState(false)
  const { error } = check
  const isCodeWrong = error?.code === 'invalid_code' || error?.code === 'invalid_request'
  const send = (digits: string) => {
    setShort(digits.length !== length)
    if (digits.length === length) void check.run(digits)
    else check.reset()
  }
  return (
    <Form onSubmit={() => send(code)} busy={check.busy}>
      {intro === undefined ? null : <p className="cs-text">{intro}</p>}
      <CodeField
        label={label ?? at('code')}
        hint={hint}
        length={length}
        value={code}
        onChange={setCode}
        onComplete={send}
        webOtp={resend !== undefined}
        autoFocus
        error={isShort ? t('error_incomplete_code') : isCodeWrong ? say(error, meanings) : undefined}
      />
      {children}
      {isCodeWrong ? null : <Failure error={error} meanings={meanings} />}
      <Failure error={resend?.error} />
      <Button type="submit" busy={check.busy}>
        {submit ?? at('continue')}
      </Button>
      {resend === undefined && actions === undefined ? null : (
        <div className="cs-actions">
          {resend === undefined ? null : <Resend at={resendAt} action={resend} />}
          {actions}
        </div>
      )}
    </Form>
  )
}
