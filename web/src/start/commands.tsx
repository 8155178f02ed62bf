import type { ReactNode } from 'react'
import { CopyButton } from '../page/copy-button.tsx'

const NUMBER = '+14155552671'

/** The same from a backend: keys, and three calls to paste. */
export function Commands({
  publishableKey,
  secretKey,
}: {
  readonly publishableKey: string | undefined
  /** Undefined where this is another machine, or where it was given to the server. */
  readonly secretKey: string | undefined
}): ReactNode {
  return (
    <section className="commands" aria-labelledby="commands">
      <h2 id="commands">The same from your backend</h2>
      <dl className="keys">
        {publishableKey !== undefined && (
          <Key name="Publishable key" about="for browsers and apps" value={publishableKey} />
        )}
        {secretKey !== undefined && (
          <Key name="Secret key" about="for your backend alone" value={secretKey} />
        )}
      </dl>
      {secretKey === undefined && (
        <p className="muted">
          Put a secret key into <code>COUNTERSIGN_KEY</code> first: one of <code>API_KEYS</code>, or the one
          that was printed when the server started.
        </p>
      )}
      <ol className="steps">
        {stepsFor(secretKey ?? '$COUNTERSIGN_KEY').map(({ title, text, command }) => (
          <li key={title}>
            <h3>{title}</h3>
            <p className="muted">{text}</p>
            <div className="shell">
              <CopyButton text={command} name={`Copy: ${title}`} />
              <pre tabIndex={0}>{command}</pre>
            </div>
          </li>
        ))}
      </ol>
    </section>
  )
}

function Key({
  name,
  about,
  value,
}: {
  readonly name: string
  readonly about: string
  readonly value: string
}): ReactNode {
  return (
    <div className="key">
      <dt>
        {name} <span className="muted">{about}</span>
      </dt>
      <dd>
        <code>{value}</code>
        <CopyButton text={value} name={`Copy the ${name.toLowerCase()}`} />
      </dd>
    </div>
  )
}

type Step = { readonly title: string; readonly text: string; readonly command: string }

function stepsFor(key: string): readonly Step[] {
  const url = location.origin
  const auth = `-H "Authorization: Bearer ${key}"`
  const json = '-H "Content-Type: application/json"'
  return [
    {
      title: '1. Send a code',
      text: 'The message appears on the phone above.',
      command: `curl ${url}/v1/verifications \\\n  ${auth} \\\n  ${json} \\\n  -d '{"to": "${NUMBER}"}'`,
    },
    {
      title: '2. Check it',
      text: 'Write the code from the phone in place of 123456.',
      command: `curl ${url}/v1/checks \\\n  ${auth} \\\n  ${json} \\\n  -d '{"to": "${NUMBER}", "code": "123456"}'`,
    },
    {
      title: '3. Ask whether the number is verified',
      text: 'At any later time, too.',
      command: `curl ${url}/v1/phones/${NUMBER}/status \\\n  ${auth}`,
    },
  ]
}
