import type { ReactNode } from 'react'
import { classNames } from './class-names.ts'

/** A form whose errors are ours to tell. */
export type FormProps = {
  /** Called where nothing is under way; the page stays. */
  readonly onSubmit: () => void
  readonly busy?: boolean | undefined
  readonly className?: string | undefined
  /** Its name for a screen reader, where no heading stands above it. */
  readonly label?: string | undefined
  readonly children?: ReactNode
}

/** A form: Enter submits it. It posts, so that nothing typed lands in an address before scripts have loaded. */
export function Form({ onSubmit, busy = false, className, label, children }: FormProps): ReactNode {
  return (
    <form
      className={classNames('cs-form', className)}
      method="post"
      noValidate
      aria-busy={busy ? true : undefined}
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault()
        if (!busy) onSubmit()
      }}
    >
      {children}
    </form>
  )
}
