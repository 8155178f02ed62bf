import './phone.css'
import { type ReactNode, useEffect, useLayoutEffect, useRef } from 'react'
import { CopyButton } from '../page/copy-button.tsx'
import { type InboxMessage, partsOf } from './message.ts'

const CHANNELS = { sms: 'SMS', whatsapp: 'WhatsApp', call: 'Voice call' }
/** Whoever has scrolled up further than this is reading. */
const NEAR_END_PX = 80

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })

/** What a phone is shown with. */
export type PhoneProps = {
  /** The oldest first. */
  readonly messages: readonly InboxMessage[]
  /** The number whose messages these are; undefined: several. */
  readonly number: string | undefined
  /** Said where there is nothing yet. */
  readonly empty: ReactNode
}

/** A phone with messages on its screen. */
export function Phone({ messages, number, empty }: PhoneProps): ReactNode {
  const thread = useRef<HTMLDivElement>(null)
  const wasAtEnd = useRef(true)
  useEffect(() => {
    const element = thread.current
    if (element === null) return
    const look = () => {
      wasAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX
    }
    element.addEventListener('scroll', look, { passive: true })
    return () => element.removeEventListener('scroll', look)
  }, [])
  useLayoutEffect(() => {
    if (thread.current !== null && wasAtEnd.current) thread.current.scrollTop = thread.current.scrollHeight
  }, [messages])
  return (
    <section className="phone" aria-label="Phone">
      <div className="screen">
        <div className="bar">
          <span className="avatar" aria-hidden="true">
            C
          </span>
          <span className="who">
            <b>Countersign</b>
            <span className="muted">{number ?? 'All numbers'}</span>
          </span>
        </div>
        <div className="thread" ref={thread} tabIndex={0} role="group" aria-label="Messages">
          {messages.length === 0 ? (
            <div className="empty">{empty}</div>
          ) : (
            <ol className="messages">
              {messages.map((message) => (
                <Item key={message.id} message={message} isNumberShown={number === undefined} />
              ))}
            </ol>
          )}
        </div>
      </div>
    </section>
  )
}

function Item({
  message,
  isNumberShown,
}: {
  readonly message: InboxMessage
  readonly isNumberShown: boolean
}): ReactNode {
  const { before, code, after, domain } = partsOf(message.body)
  return (
    <li className="item" data-channel={message.channel}>
      <p className="stamp">
        {isNumberShown && (
          <>
            <b>{message.to}</b> ·{' '}
          </>
        )}
        {CHANNELS[message.channel]} · <time dateTime={message.at}>{timeOf(message.at)}</time>
      </p>
      <p className="bubble">
        {before}
        {code !== undefined && <span className="digits">{code}</span>}
        {after}
      </p>
      {code !== undefined && (
        <span className="actions">
          <CopyButton text={code} label={`Copy ${code}`} className="copy" />
          {domain !== undefined && <span className="bound">for {domain} only</span>}
        </span>
      )}
    </li>
  )
}

/** The time of a message, with its day unless that is today. */
export function timeOf(iso: string): string {
  const at = new Date(iso)
  return at.toDateString() === new Date().toDateString()
    ? clock.format(at)
    : `${day.format(at)}, ${clock.format(at)}`
}
