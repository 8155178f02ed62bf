import { useCountersign, useUser } from '@countersign/react'
import { useEffect, useState } from 'react'

/** What the backend tells who is signed in, and nobody else. */
export function Orders() {
  const { client } = useCountersign()
  const { signOut } = useUser()
  const [text, setText] = useState('')
  useEffect(() => {
    const control = new AbortController()
    const load = async () => {
      const token = await client.auth.accessToken()
      const headers = { authorization: `Bearer ${token ?? ''}` }
      const answer = await fetch('/api/orders', { headers, signal: control.signal })
      const { user, orders } = (await answer.json()) as { user?: string; orders?: readonly unknown[] }
      setText(answer.ok ? `${user} has ${orders?.length} orders.` : `Refused: ${answer.status}`)
    }
    load().catch(() => {
      if (!control.signal.aborted) setText('The orders could not be read.')
    })
    return () => control.abort()
  }, [client])
  return (
    <>
      <h2>Orders</h2>
      <p role="status">{text}</p>
      <button onClick={() => void signOut()}>Sign out</button>
    </>
  )
}
