import type { ReactNode, Ref } from 'react'
import { Field } from '../foundation/field.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { CountryField } from './country-field.tsx'
import { type PhoneFieldOptions, type PhoneFieldState, usePhoneField } from './use-phone-field.ts'

type Looks = {
  /** Those that can be chosen; all unless told. */
  readonly countries?: readonly string[] | undefined
  readonly label?: ReactNode
  readonly hint?: ReactNode
  readonly error?: ReactNode
  readonly name?: string | undefined
  readonly autoFocus?: boolean | undefined
  readonly inputRef?: Ref<HTMLInputElement> | undefined
}

/** A field for a phone number. */
export type PhoneFieldProps = PhoneFieldOptions & Looks

/** A number and its country. A pasted international number sets the country. */
export function PhoneField(props: PhoneFieldProps): ReactNode {
  return <PhoneFieldOf {...props} phone={usePhoneField(props)} />
}

/** The looks of a phone field whose state is kept elsewhere. */
export function PhoneFieldOf(props: Looks & { readonly phone: PhoneFieldState }): ReactNode {
  const { phone, countries, label, hint, error, name = 'phone', autoFocus = false, inputRef } = props
  const t = useTexts()
  return (
    <>
      <CountryField value={phone.country} onChange={phone.setCountry} countries={countries} />
      <Field label={label ?? t('phone_label')} hint={hint} error={error}>
        {(control) => (
          <input
            {...phone.inputProps}
            {...control}
            ref={inputRef}
            className="cs-input cs-tel"
            name={name}
            autoFocus={autoFocus}
            data-autofocus={autoFocus ? '' : undefined}
          />
        )}
      </Field>
    </>
  )
}
