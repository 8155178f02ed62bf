import type { ReactNode } from 'react'

/** Something a person must see; an error is also spoken at once, the others when there is silence. */
export function Alert(props: {
  readonly kind: 'error' | 'info' | 'success'
  readonly children: ReactNode
}): ReactNode {
  return (
    <div className="cs-alert" data-kind={props.kind} role={props.kind === 'error' ? 'alert' : 'status'}>
      {props.children}
    </div>
  )
}
