import type { ComponentPropsWithoutRef, ReactNode, Ref } from 'react'
import { Field, type FieldProps } from './field.tsx'
import { classNames } from './class-names.ts'

/** An input of HTML's own attributes with a label, a hint and an error. */
export type TextFieldProps = Omit<
  ComponentPropsWithoutRef<'input'>,
  'children' | 'id' | 'onChange' | 'value'
> &
  Pick<FieldProps, 'label' | 'hint' | 'error'> & {
    readonly value: string
    readonly onChange: (value: string) => void
    readonly inputRef?: Ref<HTMLInputElement> | undefined
  }

/** A line of text. */
export function TextField(props: TextFieldProps): ReactNode {
  const { label, hint, error, value, onChange, inputRef, className, ...rest } = props
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <input
          {...rest}
          {...control}
          ref={inputRef}
          className={classNames('cs-input', className)}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  )
}
