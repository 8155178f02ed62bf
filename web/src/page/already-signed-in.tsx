import { useAccountTexts, useUser } from '@countersign/react'
import { type ReactNode, useRef, useState } from 'react'
import type { AccountData } from './data.ts'
import { useLeave } from './leave.ts'
import { useRouter } from './router.tsx'

/** Offers to go on to who is signed in when the page is opened; to anybody else what is below. */
export function AlreadySignedIn({
  data,
  children,
}: {
  readonly data: AccountData
  readonly children: ReactNode
}): ReactNode {
  // Of that moment only: whoever signs in on this page goes on by themselves.
  const { isFirst } = useRouter()
  const [isAsked] = useState(data.has_session && isFirst)
  return isAsked ? <Offer data={data}>{children}</Offer> : children
}

function Offer({ data, children }: { readonly data: AccountData; readonly children: ReactNode }): ReactNode {
  const at = useAccountTexts()
  const leave = useLeave(data)
  const { status, user, signOut } = useUser()
  const isNobody = useRef(false)
  if (status === 'signed_out' || status === 'failed') isNobody.current = true
  if (isNobody.current) return children
  if (user === undefined) return <div className="waiting" aria-busy="true" />
  return (
    <div className="card centred">
      <h1>{at('signed_in_as', { name: user.name ?? user.phone ?? user.email ?? '' })}</h1>
      <button className="plain-button" type="button" onClick={leave}>
        {at('continue')}
      </button>
      <button className="small-button" type="button" onClick={() => void signOut().catch(() => undefined)}>
        {at('sign_out')}
      </button>
    </div>
  )
}
