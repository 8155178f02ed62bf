import type { ReactNode } from 'react'
import type { User } from '@countersign/client'
import { useUser } from './use-user.ts'

/** Shows what is below to who is signed in, and until that is known what is given as `fallback`. */
export function SignedIn(props: {
  readonly fallback?: ReactNode
  readonly children?: ReactNode | ((user: User) => ReactNode)
}): ReactNode {
  const { status, user } = useUser()
  if (status === 'loading') return props.fallback ?? null
  if (user === undefined) return null
  return typeof props.children === 'function' ? props.children(user) : (props.children ?? null)
}

/** Shows what is below to who is not signed in, also where the server could not be asked. */
export function SignedOut({ children }: { readonly children?: ReactNode }): ReactNode {
  const { status } = useUser()
  return status === 'signed_out' || status === 'failed' ? children : null
}
