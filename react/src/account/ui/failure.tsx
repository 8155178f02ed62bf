import type { ReactNode } from 'react'
import { Alert } from '../../foundation/alert.tsx'
import type { Trouble } from '../../foundation/trouble.ts'
import { type Meanings, useAccountErrorText } from './account-error.ts'

/** Says what went wrong with the whole of a form; nothing where nothing did. */
export function Failure(props: {
  readonly error: Trouble | undefined
  readonly meanings?: Meanings | undefined
}): ReactNode {
  const say = useAccountErrorText()
  const text = say(props.error, props.meanings)
  return text === undefined ? null : <Alert kind="error">{text}</Alert>
}
