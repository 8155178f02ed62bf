import { randomBytes } from 'node:crypto'
import { VENDOR_TEXT, type Answer } from '../conformance/provider-faults.ts'
import {
  ACCOUNT,
  API_KEY,
  AUTH_TOKEN,
  json,
  one,
  refusal,
  TwilioFake,
  type Asked,
  type Form,
  type Playable,
} from './twilio-fake.ts'
import { makeTwilioChecks, sure } from './twilio-openapi.ts'

export * from './twilio-fake.ts'

/** Twilio's own test numbers: a sender that works, and a number that no rule speaks of. */
export const FROM_OK = '+15005550006'
export const TO_OK = '+14155552671'

const MESSAGES = '/2010-04-01/Accounts/{AccountSid}/Messages.json'
const CALLS = '/2010-04-01/Accounts/{AccountSid}/Calls.json'
const ACCOUNTS = '/2010-04-01/Accounts/{Sid}.json'

const FROM_CODES: Readonly<Record<string, number>> = {
  '+15005550001': 21212,
  '+15005550007': 21606,
  '+15005550008': 21611,
}
const TO_CODES: Readonly<Record<string, number>> = {
  '+15005550001': 21211,
  '+15005550002': 21612,
  '+15005550003': 21408,
  '+15005550004': 21610,
  '+15005550009': 21614,
}

/** A local server that answers as Twilio's Messages and Calls APIs. */
export class TwilioServer extends TwilioFake {
  /** Whether the API key is a Standard one, which may not read the account. */
  standardKey = true
  accountStatus = 'active'
  /** When the next message or call is made, and what it will have cost; milliseconds since the epoch. */
  nowMs = Date.UTC(2026, 0, 15, 12)
  price: string | null = null
  /** Everything that was taken, newest first as Twilio lists it. */
  readonly made: { readonly path: string; readonly to: string; readonly body: object }[] = []
  readonly #checks = compile()

  constructor() {
    super({
      bad_number: refusal(400, 21211),
      opted_out: refusal(400, 21610),
      wrong_channel: refusal(400, 21614),
      blocked: refusal(400, 21408),
      misconfigured: refusal(400, 21606),
    })
  }

  protected override route(asked: Asked): Answer | Playable | undefined {
    const { method, path, form, query, user } = asked
    const isMessage = path === MESSAGES.replace('{AccountSid}', ACCOUNT)
    const isCall = path === CALLS.replace('{AccountSid}', ACCOUNT)
    if (isMessage && method === 'POST') {
      this.hold(this.#checks.messageForm, form, 'request')
      return { kind: 'send', accepted: () => this.#message(path, form), magic: magic(form) }
    }
    if (isCall && method === 'POST') {
      this.hold(this.#checks.callForm, form, 'request')
      return { kind: 'send', accepted: () => this.#call(path, form), magic: magic(form) }
    }
    if ((isMessage || isCall) && method === 'GET') {
      this.hold(isMessage ? this.#checks.messageQuery : this.#checks.callQuery, query, 'query')
      return { kind: 'lookup', accepted: () => this.#list(path, query, isMessage) }
    }
    if (method === 'GET' && path === ACCOUNTS.replace('{Sid}', ACCOUNT)) {
      return user === API_KEY && this.standardKey ? refusal(401, 20003) : this.#account()
    }
    return undefined
  }

  #message(path: string, form: Form): Answer {
    const sid = `SM${randomBytes(16).toString('hex')}`
    const at = rfc2822(this.nowMs)
    const uri = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid}`
    const service = form['MessagingServiceSid'] ?? null
    const message = {
      sid,
      account_sid: ACCOUNT,
      api_version: '2010-04-01',
      body: form['Body'] ?? '',
      status: service === null ? 'queued' : 'accepted',
      direction: 'outbound-api',
      from: form['From'] ?? null,
      to: form['To'],
      messaging_service_sid: service,
      num_media: '0',
      num_segments: service === null ? '1' : '0',
      error_code: null,
      error_message: null,
      price: this.price,
      price_unit: 'USD',
      date_created: at,
      date_updated: at,
      date_sent: null,
      uri: `${uri}.json`,
      subresource_uris: { media: `${uri}/Media.json` },
    }
    sure(this.#checks.message, structuredClone(message), 'our message')
    this.made.unshift({ path, to: one(form, 'To') ?? '', body: message })
    return json(201, message)
  }

  #call(path: string, form: Form): Answer {
    const sid = `CA${randomBytes(16).toString('hex')}`
    const at = rfc2822(this.nowMs)
    const uri = `/2010-04-01/Accounts/${ACCOUNT}/Calls/${sid}`
    const call = {
      sid,
      account_sid: ACCOUNT,
      api_version: '2010-04-01',
      status: 'queued',
      direction: 'outbound-api',
      from: form['From'],
      from_formatted: form['From'],
      to: form['To'],
      to_formatted: form['To'],
      phone_number_sid: `PN${'4d'.repeat(16)}`,
      parent_call_sid: null,
      group_sid: null,
      answered_by: null,
      caller_name: null,
      forwarded_from: null,
      duration: null,
      start_time: null,
      end_time: null,
      price: this.price,
      price_unit: 'USD',
      queue_time: '0',
      trunk_sid: null,
      date_created: at,
      date_updated: at,
      uri: `${uri}.json`,
      subresource_uris: { recordings: `${uri}/Recordings.json` },
    }
    sure(this.#checks.call, structuredClone(call), 'our call')
    this.made.unshift({ path, to: one(form, 'To') ?? '', body: call })
    return json(201, call)
  }

  #list(path: string, query: Form, isMessage: boolean): Answer {
    const size = Number(query['PageSize'] ?? 50)
    const [to, sentOn] = [one(query, 'To'), query['DateSent']]
    // Nothing here was sent on a day, so a list of one day is empty.
    const all = this.made.filter(
      (each) => each.path === path && sentOn === undefined && (to === undefined || each.to === to),
    )
    const list = {
      [isMessage ? 'messages' : 'calls']: all.slice(0, size).map(({ body }) => body),
      page: 0,
      page_size: size,
      start: 0,
      end: Math.min(all.length, size),
      first_page_uri: `${path}?Page=0`,
      next_page_uri: all.length > size ? `${path}?Page=1&PageToken=PASM` : null,
      previous_page_uri: null,
      uri: path,
    }
    sure(isMessage ? this.#checks.messages : this.#checks.calls, structuredClone(list), 'our list')
    return json(200, list)
  }

  #account(): Answer {
    const uri = `/2010-04-01/Accounts/${ACCOUNT}`
    const at = 'Thu, 30 Jul 2015 20:00:00 +0000'
    const account = {
      sid: ACCOUNT,
      owner_account_sid: ACCOUNT,
      auth_token: AUTH_TOKEN,
      friendly_name: VENDOR_TEXT,
      status: this.accountStatus,
      type: 'Full',
      date_created: at,
      date_updated: at,
      uri: `${uri}.json`,
      subresource_uris: { messages: `${uri}/Messages.json` },
    }
    sure(this.#checks.account, structuredClone(account), 'our account')
    return json(200, account)
  }
}

function compile() {
  const checks = makeTwilioChecks('twilio_api_v2010')
  return {
    messageForm: checks.form('post', MESSAGES),
    messageQuery: checks.query(MESSAGES),
    message: checks.answer('post', MESSAGES, 201),
    messages: checks.answer('get', MESSAGES, 200),
    callForm: checks.form('post', CALLS),
    callQuery: checks.query(CALLS),
    call: checks.answer('post', CALLS, 201),
    calls: checks.answer('get', CALLS, 200),
    account: checks.answer('get', ACCOUNTS, 200),
  }
}

/** What Twilio's test numbers are answered. */
function magic(form: Form): Answer | undefined {
  const from = one(form, 'From')?.replace(/^whatsapp:/, '')
  const to = one(form, 'To')?.replace(/^whatsapp:/, '') ?? ''
  if (from === undefined && form['MessagingServiceSid'] === undefined) return refusal(400, 21603)
  if ((one(form, 'Body') ?? '').length > 1_600) return refusal(400, 21617)
  const fromCode = from === undefined || from === FROM_OK ? undefined : (FROM_CODES[from] ?? 21606)
  const code = fromCode ?? TO_CODES[to]
  return code === undefined ? undefined : refusal(code === 21611 ? 429 : 400, code)
}

/** A time as the 2010 API writes it. */
export function rfc2822(atMs: number): string {
  return new Date(atMs).toUTCString().replace('GMT', '+0000')
}
