import { type ReactNode, useId } from 'react'
import { classNames } from './class-names.ts'

/** What the control of a field must carry. */
export type ControlProps = {
  readonly id: string
  readonly 'aria-describedby': string | undefined
  readonly 'aria-invalid': true | undefined
}

/** A labelled control with what helps and what is wrong with it. */
export type FieldProps = {
  readonly label: ReactNode
  readonly hint?: ReactNode
  /** What is wrong, in words; it is spoken at once. */
  readonly error?: ReactNode
  readonly className?: string | undefined
  readonly children: (control: ControlProps) => ReactNode
}

/** Ties a label, a hint and an error to a control. */
export function Field({ label, hint, error, className, children }: FieldProps): ReactNode {
  const id = useId()
  const hintId = isThere(hint) ? `${id}-hint` : undefined
  const errorId = isThere(error) ? `${id}-error` : undefined
  const describedBy = classNames(errorId, hintId)
  return (
    <div className={classNames('cs-field', className)}>
      <label className="cs-label" htmlFor={id}>
        {label}
      </label>
      {children({
        id,
        'aria-describedby': describedBy === '' ? undefined : describedBy,
        'aria-invalid': errorId === undefined ? undefined : true,
      })}
      {hintId === undefined ? null : (
        <p className="cs-hint" id={hintId}>
          {hint}
        </p>
      )}
      {errorId === undefined ? null : (
        <p className="cs-error" id={errorId} role="alert">
          {error}
        </p>
      )}
    </div>
  )
}

function isThere(node: ReactNode): boolean {
  return node !== undefined && node !== null && node !== false && node !== ''
}
