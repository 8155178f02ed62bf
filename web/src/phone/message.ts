/** A message in the inbox. */
export type InboxMessage = {
  readonly id: string
  /** E.164. */
  readonly to: string
  readonly channel: 'sms' | 'whatsapp' | 'call'
  readonly body: string
  /** ISO 8601. */
  readonly at: string
}

/** A message, taken apart. */
export type MessageParts = {
  readonly before: string
  readonly code: string | undefined
  readonly after: string
  /** The site that the code is for, by the last line of the message. */
  readonly domain: string | undefined
}

const CODE = /(?<![\d+])\d{4,10}(?!\d)/
const BOUND = /\n@(\S+) #\S+$/

/** Finds the code of a message, and the site that it is bound to. */
export function partsOf(body: string): MessageParts {
  const domain = BOUND.exec(body)?.[1]
  const found = CODE.exec(body)
  if (found === null) return { before: body, code: undefined, after: '', domain }
  const [code] = found
  return { before: body.slice(0, found.index), code, after: body.slice(found.index + code.length), domain }
}
