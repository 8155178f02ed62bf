import type { Numbers } from './addresses.ts'
import { json, type Answer } from './answers.ts'
import type { Carrier } from './carrier.ts'
import { deliver } from './delivery.ts'
import type { Fates } from './fates.ts'
import { one, type Form } from './form.ts'
import { messageJson } from './message-json.ts'
import { readMessage } from './message-request.ts'
import { pageOf } from './paging.ts'
import type { Item } from './phones.ts'
import { Refusal } from './refusals.ts'
import { API_VERSION } from './reports.ts'
import { makeSid } from './sids.ts'
import { rfc2822 } from './times.ts'

/** The Messages API. */
export class MessagesApi {
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
    const request = readMessage(carrier, this.#numbers, form)
    const course = this.#fates.admit(request.to.number, 'messages')
    const now = carrier.clock.now()
    const item: Item = {
      sid: makeSid(request.media > 0 ? 'MM' : 'SM'),
      api: 'messages',
      channel: request.to.channel,
      number: request.to.number,
      to: request.to.spelt,
      from: request.from,
      text: request.text,
      body: request.text,
      status: request.messagingServiceSid === null ? 'queued' : 'accepted',
      error: null,
      createdAt: now,
      updatedAt: now,
      sentAt: null,
      endedAt: null,
      messagingServiceSid: request.messagingServiceSid,
      media: request.media,
      hook: request.hook,
      told: [],
    }
    carrier.phones.add(item)
    deliver(carrier, item, course)
    const answer = json(201, messageJson(carrier.account, item), course.manner)
    if (request.isDiscarded) item.body = ''
    return answer
  }

  fetch(sid: string): Answer {
    return json(200, messageJson(this.#carrier.account, this.#find(sid)))
  }

  list(query: Form): Answer {
    const to = one(query, 'To')
    const from = one(query, 'From')
    const on = dayOf(one(query, 'DateSent'))
    const after = one(query, 'DateSent>')
    const before = one(query, 'DateSent<')
    const found = this.#carrier.phones.list().filter((item) => {
      const at = item.sentAt ?? item.createdAt
      return (
        item.api === 'messages' &&
        (to === undefined || item.to === to) &&
        (from === undefined || item.from === from) &&
        (on === undefined || dayOf(new Date(at).toISOString()) === on) &&
        (after === undefined || at >= Date.parse(after)) &&
        (before === undefined || at <= Date.parse(before))
      )
    })
    const path = `/${API_VERSION}/Accounts/${this.#carrier.account.sid}/Messages.json`
    const { items, page } = pageOf(found, path, query)
    return json(200, { ...page, messages: items.map((item) => messageJson(this.#carrier.account, item)) })
  }

  /** Redacts the text, which is the one thing that may be changed. */
  update(sid: string, form: Form): Answer {
    const item = this.#find(sid)
    if (form['Body'] === '') item.body = ''
    else if (one(form, 'Status') !== 'canceled')
      throw new Refusal(20001, 'Body may only be changed to an empty text')
    return this.fetch(sid)
  }

  delete(sid: string): Answer {
    this.#carrier.phones.delete(this.#find(sid).sid)
    return { status: 204 }
  }

  feedback(sid: string, form: Form): Answer {
    const item = this.#find(sid)
    const outcome = one(form, 'Outcome') ?? 'confirmed'
    if (outcome !== 'confirmed' && outcome !== 'unconfirmed') throw new Refusal(20001, `Outcome ${outcome}`)
    const { sid: account } = this.#carrier.account
    const at = rfc2822(this.#carrier.clock.now())
    return json(200, {
      account_sid: account,
      message_sid: item.sid,
      outcome,
      date_created: at,
      date_updated: at,
      uri: `/${API_VERSION}/Accounts/${account}/Messages/${item.sid}/Feedback.json`,
    })
  }

  #find(sid: string): Item {
    const item = this.#carrier.phones.get(sid)
    if (item?.api === 'messages') return item
    throw new Refusal(20404, `/${API_VERSION}/Accounts/${this.#carrier.account.sid}/Messages/${sid}.json`)
  }
}

/** The day of a date or a time, in UTC. */
function dayOf(text: string | undefined): string | undefined {
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : text.slice(0, 10)
}
