import '@countersign/react/theme.css'
import './style.css'
import './inbox.css'
import { type ReactNode, useMemo, useState } from 'react'
import { CopyButton } from './page/copy-button.tsx'
import { readDevData } from './page/data.ts'
import { DevTop } from './page/dev-top.tsx'
import { show } from './page/show.tsx'
import { EmptyPhone } from './phone/empty-phone.tsx'
import { Live } from './phone/live.tsx'
import type { InboxMessage } from './phone/message.ts'
import { Phone, timeOf } from './phone/phone.tsx'
import { useInbox } from './phone/use-inbox.ts'

const { has_account: hasAccount } = readDevData()

function InboxPage(): ReactNode {
  const { messages, newest, connection, isLoaded, clear } = useInbox()
  const [wanted, setWanted] = useState('')
  const [chosen, setChosen] = useState<string>()
  const digits = wanted.replace(/\D/g, '')
  const matching = useMemo(() => messages.filter(({ to }) => to.includes(digits)), [messages, digits])
  const number = matching.some(({ to }) => to === chosen) ? chosen : undefined
  const shown = number === undefined ? matching : matching.filter(({ to }) => to === number)
  return (
    <>
      <DevTop path="/dev/inbox" hasAccount={hasAccount} />
      <main className="wrap inbox">
        <section className="side" aria-labelledby="title">
          <div className="head">
            <h1 id="title">Inbox</h1>
            <Live connection={connection} />
          </div>
          <p className="muted lead">
            What a phone would have received. Kept in memory only: the last 500 messages.
          </p>
          <div className="tools">
            <input
              type="search"
              inputMode="tel"
              aria-label="Filter by number"
              placeholder="Filter by number"
              autoComplete="off"
              spellCheck={false}
              value={wanted}
              onChange={({ target }) => {
                setWanted(target.value)
                setChosen(undefined)
              }}
            />
            <button
              className="small-button"
              type="button"
              disabled={messages.length === 0}
              onClick={() => {
                setWanted('')
                void clear()
              }}
            >
              Clear
            </button>
          </div>
          <Numbers messages={matching} chosen={number} onChoose={setChosen} />
          {messages.length > 0 && matching.length === 0 && <p className="muted">No number matches.</p>}
          {isLoaded && messages.length === 0 && <Try />}
        </section>
        <Phone messages={shown} number={number} empty={<EmptyPhone />} />
      </main>
      <footer className="foot">
        <div className="wrap">
          Messages are lost when the server stops. <a href="/docs">Read the docs</a>
        </div>
      </footer>
      <p className="unseen" role="status">
        {newest === undefined ? '' : `New message to ${newest.to}: ${newest.body}`}
      </p>
    </>
  )
}

function Numbers({
  messages,
  chosen,
  onChoose,
}: {
  readonly messages: readonly InboxMessage[]
  readonly chosen: string | undefined
  readonly onChoose: (number: string | undefined) => void
}): ReactNode {
  const newest = new Map<string, InboxMessage>()
  for (const message of messages) {
    newest.delete(message.to)
    newest.set(message.to, message)
  }
  const numbers = [...newest.values()].toReversed()
  const [last] = numbers
  if (last === undefined) return null
  const count = messages.length === 1 ? '1 message' : `${messages.length} messages`
  const item = (number: string | undefined, { at, body }: { readonly at: string; readonly body: string }) => (
    <li key={number ?? ''}>
      <button
        className="number"
        type="button"
        aria-current={number === chosen ? 'true' : undefined}
        onClick={() => onChoose(number)}
      >
        <b>{number ?? 'All numbers'}</b>
        <span className="when">{timeOf(at)}</span>
        <span className="last">{body}</span>
      </button>
    </li>
  )
  return (
    <nav aria-label="Numbers">
      <ul className="numbers">
        {item(undefined, { at: last.at, body: count })}
        {numbers.map((message) => item(message.to, message))}
      </ul>
    </nav>
  )
}

function Try(): ReactNode {
  const command = [
    `curl -X POST ${location.origin}/v1/verifications \\`,
    '  -H "Authorization: Bearer $COUNTERSIGN_KEY" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '{"to": "+14155552671"}'`,
  ].join('\n')
  return (
    <section className="try" aria-labelledby="try">
      <h2 id="try">Send a message to try it</h2>
      <p className="muted">
        From the <a href="/">start page</a>, or with a secret key in <code>COUNTERSIGN_KEY</code>:
      </p>
      <div className="shell">
        <CopyButton text={command} name="Copy the command" />
        <pre tabIndex={0}>{command}</pre>
      </div>
    </section>
  )
}

show(<InboxPage />)
