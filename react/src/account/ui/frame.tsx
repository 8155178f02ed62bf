import { createContext, type ReactNode, useContext } from 'react'
import { classNames } from '../../foundation/class-names.ts'
import { Root } from '../../foundation/root.tsx'

const Inside = createContext(false)

/** The root of a component that stands alone; where it is a part of another, a plain box. */
export function Frame(props: { readonly className?: string; readonly children?: ReactNode }): ReactNode {
  const stack = classNames('cs-stack', props.className)
  if (useContext(Inside)) return <div className={stack}>{props.children}</div>
  return (
    <Root className="cs-account">
      <Inside.Provider value={true}>
        <div className={stack}>{props.children}</div>
      </Inside.Provider>
    </Root>
  )
}
