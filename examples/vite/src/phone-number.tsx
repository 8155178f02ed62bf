import { VerifyPhone } from '@countersign/react'
import { useEffect, useState } from 'react'

type Session = { readonly nonce: string; readonly phone: string | null }

/** Verifies a number, and tells the backend by the proof. */
export function PhoneNumber() {
  const [session, setSession] = useState<Session>()
  const [failure, setFailure] = useState<string>()
  useEffect(() => {
    const control = new AbortController()
    fetch('/api/session', { signal: control.signal })
      .then(async (answer) => setSession((await answer.json()) as Session))
      .catch(() => {
        if (!control.signal.aborted) setFailure('The server cannot be reached.')
      })
    return () => control.abort()
  }, [])

  const save = async (proof: string) => {
    const answer = await fetch('/api/phone', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ proof }),
    }).catch(() => undefined)
    // What is shown is the number that the backend believes.
    if (answer?.ok && session) setSession({ ...session, ...((await answer.json()) as { phone: string }) })
    else setFailure('The number could not be saved.')
  }
  if (failure !== undefined) return <p role="alert">{failure}</p>
  if (session === undefined) return null
  if (session.phone !== null) return <p role="status">Your number is {session.phone}.</p>
  return <VerifyPhone nonce={session.nonce} onVerified={({ proof }) => void save(proof)} />
}
