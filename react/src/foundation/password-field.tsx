import { type ReactNode, useState } from 'react'
import { useTexts } from '../texts/use-texts.ts'
import { Field } from './field.tsx'
import type { TextFieldProps } from './text-field.tsx'

/** A password; which one decides what a password manager offers. */
export type PasswordFieldProps = Omit<TextFieldProps, 'type' | 'autoComplete'> & {
  readonly autoComplete: 'current-password' | 'new-password'
}

/** A password that can be shown, pasted and filled in by a password manager. */
export function PasswordField(props: PasswordFieldProps): ReactNode {
  const { label, hint, error, value, onChange, inputRef, className: _, ...rest } = props
  const t = useTexts()
  const [shown, setShown] = useState(false)
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <div className="cs-joined">
          <input
            autoCapitalize="none"
            spellCheck={false}
            {...rest}
            {...control}
            ref={inputRef}
            className="cs-input"
            type={shown ? 'text' : 'password'}
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
          <button
            type="button"
            className="cs-inside"
            aria-pressed={shown}
            aria-label={t('password_show')}
            aria-controls={control.id}
            onClick={() => setShown(!shown)}
          >
            <span className={shown ? 'cs-eye cs-eye-shut' : 'cs-eye'} aria-hidden="true" />
          </button>
        </div>
      )}
    </Field>
  )
}
