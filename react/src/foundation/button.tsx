import type { ComponentPropsWithoutRef, ReactNode } from 'react'
import { classNames } from './class-names.ts'

/** A button, of HTML's own attributes and three of ours. */
export type ButtonProps = ComponentPropsWithoutRef<'button'> & {
  /** `primary` unless told. */
  readonly kind?: 'primary' | 'quiet' | 'link' | 'danger'
  /** Something is under way: it says so and takes no click, but keeps the focus. */
  readonly busy?: boolean | undefined
  /** It takes no click yet, but keeps the focus. */
  readonly waiting?: boolean | undefined
}

/** A button that does not lose the focus while it cannot be used, as `disabled` would. */
export function Button(props: ButtonProps): ReactNode {
  const { kind = 'primary', busy = false, waiting = false, onClick, children, className, ...rest } = props
  const idle = busy || waiting
  return (
    <button
      type="button"
      {...rest}
      className={classNames('cs-button', className)}
      data-kind={kind}
      data-busy={busy ? '' : undefined}
      aria-disabled={idle ? true : undefined}
      onClick={(event) => {
        if (idle) event.preventDefault()
        else onClick?.(event)
      }}
    >
      {children}
      {busy ? <span className="cs-spinner" aria-hidden="true" /> : null}
    </button>
  )
}
