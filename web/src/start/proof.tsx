import type { ReactNode } from 'react'
import { CopyButton } from '../page/copy-button.tsx'

const CHECK = `import { makeTokenVerifier } from 'countersign/verify-token'

const verifier = makeTokenVerifier({ url: 'ORIGIN' })
const { sub: phone } = await verifier.proof(proof, { purpose: 'verify' })`

/** What an app has in hand after a verification, and what its backend makes of it. */
export function Proof({
  proof,
  onAgain,
}: {
  readonly proof: string
  readonly onAgain: () => void
}): ReactNode {
  const code = CHECK.replace('ORIGIN', location.origin)
  return (
    <section className="panel proof" aria-labelledby="proof">
      <div className="proof-head">
        <h2 id="proof">What your app has now</h2>
        <button className="small-button" type="button" onClick={onAgain}>
          Verify another
        </button>
      </div>
      <p className="muted">
        A proof: a token, signed by this server, that says so for five minutes. Send it to your backend.
      </p>
      <div className="shell">
        <CopyButton text={proof} name="Copy the proof" />
        <pre tabIndex={0}>{JSON.stringify(claimsOf(proof), null, 2)}</pre>
      </div>
      <p className="muted">The backend checks it without asking anybody:</p>
      <div className="shell">
        <CopyButton text={code} name="Copy the code of the backend" />
        <pre tabIndex={0}>{code}</pre>
      </div>
    </section>
  )
}

/** What a token says; nobody here needs to know whether it is true. */
function claimsOf(token: string): unknown {
  const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
  const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}
