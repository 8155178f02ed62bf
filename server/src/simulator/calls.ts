import { isWebAddress, owns, type Numbers } from './addresses.ts'
import { json, type Answer } from './answers.ts'
import { callJson } from './call-json.ts'
import { reach, ring, tell } from './calling.ts'
import type { Carrier } from './carrier.ts'
import type { Fates } from './fates.ts'
import { all, one, type Form } from './form.ts'
import { TEST_CREDENTIALS } from './magic.ts'
import { pageOf } from './paging.ts'
import type { Hook, Item } from './phones.ts'
import { Refusal } from './refusals.ts'
import { API_VERSION, callReport } from './reports.ts'
import { isTwiml, sayingsOf } from './sayings.ts'
import { makeSid } from './sids.ts'

const NOT_TWIML = 'We are sorry, an application error has occurred. Goodbye.'

/** The Calls API. */
export class CallsApi {
  readonly #carrier: Carrier
  readonly #fates: Fates
  readonly #numbers: Numbers

  constructor(carrier: Carrier, fates: Fates, numbers: Numbers) {
    this.#carrier = carrier
    this.#fates = fates
    this.#numbers = numbers
  }

  create(form: Form): Answer {
    const carrier = this.#carrier
    const number = this.#receiver(one(form, 'To'))
    const from = this.#sender(one(form, 'From'))
    const [twiml, url] = [one(form, 'Twiml'), one(form, 'Url')]
    if (twiml === undefined && (url === undefined || !isWebAddress(url))) throw new Refusal(21205, url)
    const course = this.#fates.admit(number, 'calls')
    const now = carrier.clock.now()
    const item: Item = {
      sid: makeSid('CA'),
      api: 'calls',
      channel: 'call',
      number,
      to: number,
      from,
      text: twiml === undefined ? '' : heard(twiml),
      body: '',
      status: 'queued',
      error: null,
      createdAt: now,
      updatedAt: now,
      sentAt: null,
      endedAt: null,
      messagingServiceSid: null,
      media: 0,
      hook: hookOf(form),
      told: [],
    }
    carrier.phones.add(item)
    ring(carrier, item, course, () => {
      if (url !== undefined && twiml === undefined) void this.#ask(item, url, one(form, 'Method') ?? 'POST')
    })
    return json(201, callJson(carrier.account, item), course.manner)
  }

  fetch(sid: string): Answer {
    return json(200, callJson(this.#carrier.account, this.#find(sid)))
  }

  list(query: Form): Answer {
    const [to, from, status] = ['To', 'From', 'Status'].map((name) => one(query, name))
    const found = this.#carrier.phones
      .list()
      .filter(
        (item) =>
          item.api === 'calls' &&
          (to === undefined || item.to === to) &&
          (from === undefined || item.from === from) &&
          (status === undefined || item.status === status),
      )
    const path = `/${API_VERSION}/Accounts/${this.#carrier.account.sid}/Calls.json`
    const { items, page } = pageOf(found, path, query)
    return json(200, { ...page, calls: items.map((item) => callJson(this.#carrier.account, item)) })
  }

  /** Ends a call: `canceled` while it has not been answered, `completed` at any time. */
  update(sid: string, form: Form): Answer {
    const item = this.#find(sid)
    const status = one(form, 'Status')
    const isEarly = item.status === 'queued' || item.status === 'ringing'
    if (item.endedAt !== null) throw new Refusal(21220)
    if (status !== 'completed' && !(status === 'canceled' && isEarly)) throw new Refusal(20001, 'Status')
    reach(this.#carrier, item, isEarly ? 'canceled' : status)
    void tell(this.#carrier, item, item.status, item.told.length)
    return this.fetch(sid)
  }

  delete(sid: string): Answer {
    this.#carrier.phones.delete(this.#find(sid).sid)
    return { status: 204 }
  }

  #receiver(to: string | undefined): string {
    if (to === undefined) throw new Refusal(21201)
    const number = this.#numbers.read(to)
    if (number === undefined) throw new Refusal(21217, to)
    const code = TEST_CREDENTIALS.to[number]?.[1] ?? 0
    if (code !== 0) throw new Refusal(code, number)
    return number
  }

  #sender(from: string | undefined): string {
    if (from === undefined) throw new Refusal(21213)
    const number = this.#numbers.read(from)
    const code = TEST_CREDENTIALS.from[number ?? '']?.[1]
    if (code !== undefined) throw new Refusal(code, from)
    if (number === undefined) throw new Refusal(21212, from)
    if (!owns(this.#carrier, number)) throw new Refusal(21210, from)
    return number
  }

  /** Asks the app what to say, as Twilio does when the phone is picked up. */
  async #ask(item: Item, url: string, method: string): Promise<void> {
    const params = callReport(this.#carrier.account.sid, item, 'in-progress', undefined)
    const { text = '', status = 0 } = await this.#carrier.callbacks.put({
      url,
      method: method.toUpperCase(),
      params,
    })
    item.text = status >= 200 && status < 300 ? heard(text) : NOT_TWIML
    this.#carrier.phones.tell(item)
  }

  #find(sid: string): Item {
    const item = this.#carrier.phones.get(sid)
    if (item?.api === 'calls') return item
    throw new Refusal(20404, `/${API_VERSION}/Accounts/${this.#carrier.account.sid}/Calls/${sid}.json`)
  }
}

function heard(twiml: string): string {
  return isTwiml(twiml) ? sayingsOf(twiml) : NOT_TWIML
}

function hookOf(form: Form): Hook | undefined {
  const url = one(form, 'StatusCallback')
  if (url === undefined) return undefined
  if (!isWebAddress(url)) throw new Refusal(21609, url)
  const events = all(form, 'StatusCallbackEvent').flatMap((each) => each.split(' '))
  const method = (one(form, 'StatusCallbackMethod') ?? 'POST').toUpperCase()
  return { url, method, ...(events.length === 0 ? {} : { events: new Set(events) }) }
}
