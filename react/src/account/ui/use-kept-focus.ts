import { type RefObject, useEffect, useRef } from 'react'

/**
 * Puts the focus on a heading when what stood under it has changed and took the focus with it, so that who listens or
 * goes by keyboard is not thrown back to the beginning of the page. A field that takes the focus by itself keeps it.
 */
export function useKeptFocus(shown: string | undefined): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null)
  const before = useRef(shown)
  useEffect(() => {
    const was = before.current
    before.current = shown
    // What comes first, as at the start of a page, is no change.
    if (was === undefined || was === shown) return
    if (document.activeElement === null || document.activeElement === document.body) heading.current?.focus()
  }, [shown])
  return heading
}
