import type { ReactNode, Ref } from 'react'
import { Field } from '../foundation/field.tsx'
import { useTexts } from '../texts/use-texts.ts'
import { type CodeFieldOptions, useCodeField } from './use-code-field.ts'

/** A field for a code, with a cell for each digit. */
export type CodeFieldProps = Omit<CodeFieldOptions, 'length'> & {
  /** How many digits the code has, 4 to 12; 6 unless told. */
  readonly length?: number | undefined
  readonly label?: ReactNode
  readonly hint?: ReactNode
  readonly error?: ReactNode
  readonly name?: string | undefined
  readonly autoFocus?: boolean | undefined
  readonly inputRef?: Ref<HTMLInputElement> | undefined
}

/**
 * One real input, whose text is always to be seen, over cells that are drawn. Paste, autofill, password managers and
 * selection work as in any other input.
 */
export function CodeField(props: CodeFieldProps): ReactNode {
  const { length = 6, label, hint, error, name = 'code', autoFocus = false, inputRef } = props
  const t = useTexts()
  const { inputProps, cells } = useCodeField({ ...props, length })
  return (
    <Field label={label ?? t('code_label')} hint={hint} error={error}>
      {(control) => (
        <div className="cs-code-box">
          <div
            className="cs-code"
            data-length={length}
            data-invalid={control['aria-invalid'] ? '' : undefined}
          >
            <span className="cs-code-cells" aria-hidden="true">
              {cells.map(({ isActive }, index) => (
                <span key={index} className="cs-code-cell" data-active={isActive ? '' : undefined} />
              ))}
            </span>
            <input
              {...inputProps}
              {...control}
              ref={inputRef}
              className="cs-code-input"
              name={name}
              dir="ltr"
              autoFocus={autoFocus}
              data-autofocus={autoFocus ? '' : undefined}
            />
          </div>
        </div>
      )}
    </Field>
  )
}
