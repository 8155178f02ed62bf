import { createElement, type ReactNode, type Ref } from 'react'

/** Which heading of the page it is. */
export type HeadingLevel = 1 | 2 | 3 | 4 | 5 | 6

/** A heading that can be given the focus when what it stands over has changed. */
export function Heading(props: {
  readonly level?: HeadingLevel | undefined
  readonly id?: string | undefined
  readonly headingRef?: Ref<HTMLHeadingElement> | undefined
  readonly children?: ReactNode
}): ReactNode {
  const { level = 2, id, headingRef, children } = props
  return createElement(`h${level}`, { id, ref: headingRef, tabIndex: -1, className: 'cs-heading' }, children)
}
