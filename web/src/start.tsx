import '@countersign/react/theme.css'
import './style.css'
import './start.css'
import { createClient } from '@countersign/client'
import { CountersignProvider, VerifyPhone } from '@countersign/react'
import { type ReactNode, useState } from 'react'
import { readDevData } from './page/data.ts'
import { DevTop } from './page/dev-top.tsx'
import { show } from './page/show.tsx'
import { EmptyPhone } from './phone/empty-phone.tsx'
import { Live } from './phone/live.tsx'
import { Phone } from './phone/phone.tsx'
import { useInbox } from './phone/use-inbox.ts'
import { Commands } from './start/commands.tsx'
import { Proof } from './start/proof.tsx'
import { State } from './start/state.tsx'

const {
  publishable_key: publishableKey,
  secret_key: secretKey,
  has_account: hasAccount,
  code_length: codeLength,
} = readDevData()
const client = createClient({ baseUrl: '', ...(publishableKey ? { publishableKey } : {}) })
/** A number that is valid and that nobody has. */
const SAMPLE = '+14155552671'

function StartPage(): ReactNode {
  const { messages, newest, connection } = useInbox()
  return (
    <>
      <DevTop path="/" hasAccount={hasAccount} />
      <main className="wrap start">
        <section className="hello">
          <h1>Countersign is running</h1>
          <p className="muted">
            It answers at <code>{location.origin}</code>. Verify a number to see it work: in development
            messages go to the phone on this page, so any number will do.
          </p>
          <State />
        </section>
        <div className="try-it">
          {publishableKey ? <Try /> : <NoKey />}
          <p className="muted aside">
            This is the component <code>VerifyPhone</code> of <code>@countersign/react</code>, as your app
            would show it.
          </p>
        </div>
        <div className="device">
          <Phone messages={messages} number={undefined} empty={<EmptyPhone />} />
          <p className="device-foot">
            <Live connection={connection} /> <a href="/dev/inbox">Open the inbox</a>
          </p>
        </div>
        <Commands publishableKey={publishableKey ?? undefined} secretKey={secretKey ?? undefined} />
      </main>
      <footer className="foot">
        <div className="wrap">
          <a href="/docs">Docs</a> · <a href="/openapi.json">OpenAPI</a> · <a href="/healthz">Health</a> ·{' '}
          <a href="/metrics">Metrics</a>
        </div>
      </footer>
      <p className="unseen" role="status">
        {newest === undefined ? '' : `The phone shows: ${newest.body}`}
      </p>
    </>
  )
}

function Try(): ReactNode {
  const [round, setRound] = useState(0)
  const [proof, setProof] = useState<string>()
  const again = () => {
    setProof(undefined)
    setRound(round + 1)
  }
  return (
    <>
      <div className="panel try-card">
        <VerifyPhone
          key={round}
          phone={SAMPLE}
          codeLength={codeLength}
          onVerified={(verified) => setProof(verified.proof)}
        />
      </div>
      {proof !== undefined && <Proof proof={proof} onAgain={again} />}
    </>
  )
}

/** Where `API_KEYS` names none, the page has nothing to call with. */
function NoKey(): ReactNode {
  return (
    <div className="panel try-card">
      <p>
        <code>API_KEYS</code> holds no publishable key (<code>pk_…</code>), so this page cannot call the
        server. Add one, or leave <code>API_KEYS</code> out: then development makes its own.
      </p>
    </div>
  )
}

show(
  <CountersignProvider client={client}>
    <StartPage />
  </CountersignProvider>,
)
