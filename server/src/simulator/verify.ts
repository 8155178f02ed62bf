import type { Numbers } from './addresses.ts'
import { json, type Answer, type Manner } from './answers.ts'
import { ring } from './calling.ts'
import type { Carrier } from './carrier.ts'
import { deliver } from './delivery.ts'
import type { Course, Fates } from './fates.ts'
import { one, type Form } from './form.ts'
import type { Channel, Item } from './phones.ts'
import { Refusal } from './refusals.ts'
import { makeSid } from './sids.ts'
import { Verifications, type Verification } from './verifications.ts'
import { checkJson, verificationJson } from './verify-json.ts'
import { VerifyServices } from './verify-services.ts'

const CHANNELS = new Set<string>(['sms', 'call', 'whatsapp'] satisfies Channel[])
/** Channels that Twilio knows and that do not reach a phone by a message or a call. */
const OTHER_CHANNELS = new Set(['email', 'sna', 'auto', 'rbm'])

/** The Verify API: it makes its own codes and sends them to the simulated phones. */
export class VerifyApi {
  readonly services: VerifyServices
  readonly #carrier: Carrier
  readonly #fates: Fates
  readonly #numbers: Numbers
  readonly #verifications: Verifications

  constructor(carrier: Carrier, fates: Fates, numbers: Numbers) {
    this.#carrier = carrier
    this.#fates = fates
    this.#numbers = numbers
    this.services = new VerifyServices(carrier)
    this.#verifications = new Verifications(carrier.clock)
    carrier.onReset(() => this.#verifications.clear())
  }

  /** Sends a code; the same again while its verification lives. */
  create(serviceSid: string, form: Form): Answer {
    const service = this.services.get(serviceSid)
    const to = this.#receiver(one(form, 'To'))
    const channel = readChannel(one(form, 'Channel'))
    const custom = one(form, 'CustomCode')
    if (custom !== undefined && !/^[A-Za-z0-9]{4,10}$/.test(custom)) throw new Refusal(60200, 'CustomCode')
    const known = this.#verifications.pending(serviceSid, to)
    const refusal = known === undefined ? undefined : this.#verifications.refusal(known)
    if (refusal !== undefined) throw new Refusal(refusal === 'sends' ? 60203 : 60202)
    const course = this.#fates.admit(to, 'verify')
    const verification =
      known ?? this.#verifications.open(serviceSid, to, channel, { length: service.codeLength, custom })
    this.#verifications.sent(verification, channel)
    this.#send(verification, one(form, 'CustomFriendlyName') ?? service.friendlyName, course)
    return this.#answer(201, verification, course.manner)
  }

  fetch(serviceSid: string, sid: string): Answer {
    return this.#answer(200, this.#find(serviceSid, sid))
  }

  /** Cancels or approves a verification by hand. */
  update(serviceSid: string, sid: string, form: Form): Answer {
    const status = one(form, 'Status')
    if (status !== 'canceled' && status !== 'approved') throw new Refusal(60200, 'Status')
    const verification = this.#find(serviceSid, sid)
    if (verification.status !== 'pending') throw notFound(serviceSid, `Verifications/${sid}`)
    this.#verifications.end(verification, status)
    return this.#answer(200, verification)
  }

  check(serviceSid: string, form: Form): Answer {
    this.services.get(serviceSid)
    const [code, to, sid] = ['Code', 'To', 'VerificationSid'].map((name) => one(form, name))
    if (code === undefined || !/^[A-Za-z0-9]{4,10}$/.test(code)) throw new Refusal(60200, 'Code')
    if (to === undefined && sid === undefined) throw new Refusal(60200, 'To')
    const verification =
      sid === undefined
        ? this.#verifications.pending(serviceSid, this.#receiver(to))
        : this.#verifications.find(serviceSid, sid)
    if (verification?.status !== 'pending') throw notFound(serviceSid, 'VerificationCheck')
    if (this.#verifications.guess(verification, code) === 'too_many') throw new Refusal(60202)
    return json(200, checkJson(this.#carrier.account, verification))
  }

  #send(verification: Verification, name: string, course: Course): void {
    const { channel, to, code } = verification
    const now = this.#carrier.clock.now()
    const address = channel === 'whatsapp' ? `whatsapp:${to}` : to
    const item: Item = {
      sid: makeSid(channel === 'call' ? 'CA' : 'SM'),
      api: 'verify',
      channel,
      number: to,
      to: address,
      from: 'Verify',
      text: `Your ${name} verification code is: ${code}`,
      body: '',
      status: 'queued',
      error: null,
      createdAt: now,
      updatedAt: now,
      sentAt: null,
      endedAt: null,
      messagingServiceSid: null,
      media: 0,
      hook: undefined,
      told: [],
    }
    this.#carrier.phones.add(item)
    if (channel === 'call') ring(this.#carrier, item, course, () => {})
    else deliver(this.#carrier, item, course)
  }

  #receiver(to: string | undefined): string {
    const number = to === undefined ? undefined : this.#numbers.read(to)
    if (number === undefined) throw new Refusal(60200, to === undefined ? 'To' : `\`To\`: ${to}`)
    return number
  }

  #find(serviceSid: string, sid: string): Verification {
    this.services.get(serviceSid)
    const found = this.#verifications.find(serviceSid, sid)
    if (found === undefined) throw notFound(serviceSid, `Verifications/${sid}`)
    return found
  }

  #answer(status: number, verification: Verification, manner?: Manner): Answer {
    return json(status, verificationJson(this.#carrier.account, verification), manner)
  }
}

function readChannel(text: string | undefined): Channel {
  const channel = text?.toLowerCase()
  if (channel !== undefined && OTHER_CHANNELS.has(channel)) throw new Refusal(60223, channel)
  if (channel === undefined || !CHANNELS.has(channel)) throw new Refusal(60200, 'Channel')
  return channel as Channel
}

function notFound(serviceSid: string, rest: string): Refusal {
  return new Refusal(20404, `/v2/Services/${serviceSid}/${rest}`)
}
