import type { ReactNode } from 'react'
import { useCountersign } from '../provider.tsx'
import { Announcer } from './announcer.tsx'
import { classNames } from './class-names.ts'

/** The element that carries the theme, the language and its direction. Every component that stands alone is one. */
export function Root(props: {
  readonly className?: string | undefined
  readonly children?: ReactNode
}): ReactNode {
  const { dir, language, appearance } = useCountersign()
  return (
    <div
      className={classNames('cs-root', props.className)}
      dir={dir}
      lang={language}
      data-appearance={appearance}
    >
      <Announcer>{props.children}</Announcer>
    </div>
  )
}
