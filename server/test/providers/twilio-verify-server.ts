import { randomBytes } from 'node:crypto'
import { VENDOR_TEXT, type Answer } from '../conformance/provider-faults.ts'
import {
  ACCOUNT,
  json,
  one,
  refusal,
  TwilioFake,
  type Asked,
  type Form,
  type Playable,
} from './twilio-fake.ts'
import { makeTwilioChecks, sure } from './twilio-openapi.ts'

export const SERVICE = `VA${'2c'.repeat(16)}`
const CODE = '135790'

const SERVICES = '/v2/Services/{Sid}'
const VERIFICATIONS = '/v2/Services/{ServiceSid}/Verifications'
const VERIFICATION = '/v2/Services/{ServiceSid}/Verifications/{Sid}'
const CHECKS = '/v2/Services/{ServiceSid}/VerificationCheck'
const ATTEMPTS = '/v2/Attempts'

type Kept = {
  readonly sid: string
  readonly to: string
  readonly createdMs: number
  readonly code: string
  channel: string
  status: string
  checks: number
  attempts: { readonly sid: string; readonly atMs: number; readonly channel: string }[]
}

/** A local server that answers as Twilio Verify: one pending verification of a number, with one code. */
export class TwilioVerifyServer extends TwilioFake {
  nowMs = Date.UTC(2026, 0, 15, 12)
  /** The code of the next new verification. */
  code = CODE
  /** Languages that the service answers 404 for. */
  readonly unspoken = new Set<string>()
  readonly kept: Kept[] = []
  /** Whether numbers keep a pending verification; the conformance suite sends to one number many times at once. */
  continues = true
  readonly #checks = compile()

  constructor() {
    super({
      bad_number: refusal(400, 60200, {}, 'Invalid parameter `To`: VENDOR-TEXT'),
      opted_out: refusal(400, 21610),
      wrong_channel: refusal(403, 60205),
      blocked: refusal(403, 60410),
      misconfigured: refusal(403, 60223),
    })
  }

  protected override route(asked: Asked): Answer | Playable | undefined {
    const { method, path, form, query } = asked
    const service = `/v2/Services/${SERVICE}`
    if (method === 'POST' && path === `${service}/Verifications`) {
      this.hold(this.#checks.startForm, form, 'request')
      const unspoken = this.unspoken.has(one(form, 'Locale') ?? '')
      return unspoken ? this.#unspoken(asked) : { kind: 'send', accepted: () => this.#start(form) }
    }
    const sid = path.startsWith(`${service}/Verifications/`) ? path.split('/').at(-1) : undefined
    if (sid !== undefined && method === 'POST') {
      this.hold(this.#checks.updateForm, form, 'update')
      return { kind: 'cancel', accepted: () => this.#update(sid, form) }
    }
    if (sid !== undefined && method === 'GET') {
      return { kind: 'lookup', accepted: () => this.#fetch(sid) }
    }
    if (method === 'POST' && path === `${service}/VerificationCheck`) {
      this.hold(this.#checks.checkForm, form, 'check')
      return { kind: 'check', accepted: () => this.#check(form) }
    }
    if (method === 'GET' && path === ATTEMPTS) {
      this.hold(this.#checks.attemptsQuery, query, 'query')
      return { kind: 'lookup', accepted: () => this.#attempts(query) }
    }
    return method === 'GET' && path === service ? this.#service() : undefined
  }

  #unspoken(asked: Asked): Answer {
    this.seen.push(asked)
    return refusal(404, 20404)
  }

  #start(form: Form): Answer {
    const [to = '', channel = ''] = [one(form, 'To'), one(form, 'Channel')]
    let kept = this.kept.find((each) => this.continues && each.to === to && each.status === 'pending')
    if (kept === undefined) {
      const sid = `VE${randomBytes(16).toString('hex')}`
      kept = {
        sid,
        to,
        channel,
        createdMs: this.nowMs,
        code: this.code,
        status: 'pending',
        checks: 0,
        attempts: [],
      }
      this.kept.push(kept)
    }
    if (kept.attempts.length === 5) return refusal(429, 60203)
    kept.channel = channel
    kept.attempts.push({ sid: `VL${randomBytes(16).toString('hex')}`, atMs: this.nowMs, channel })
    return this.#shown(kept, 201, this.#checks.verification)
  }

  #update(sid: string, form: Form): Answer {
    const kept = this.kept.find((each) => each.sid === sid && each.status === 'pending')
    if (kept === undefined) return refusal(404, 20404)
    kept.status = one(form, 'Status') ?? ''
    return this.#shown(kept, 200, this.#checks.verification)
  }

  #fetch(sid: string): Answer {
    const kept = this.kept.find((each) => each.sid === sid && ['pending', 'canceled'].includes(each.status))
    return kept === undefined ? refusal(404, 20404) : this.#shown(kept, 200, this.#checks.verification)
  }

  #check(form: Form): Answer {
    const kept = this.kept.find((each) => each.sid === form['VerificationSid'] && each.status === 'pending')
    if (kept === undefined) return refusal(404, 20404)
    if (!/^.{4,10}$/.test(one(form, 'Code') ?? '')) {
      return refusal(400, 60200, {}, 'Invalid parameter `Code`: VENDOR-TEXT')
    }
    if (kept.checks === 5) return refusal(429, 60202)
    kept.checks++
    if (form['Code'] === kept.code) kept.status = 'approved'
    return this.#shown(kept, 200, this.#checks.check)
  }

  #shown(kept: Kept, status: number, check: ReturnType<typeof compile>['check']): Answer {
    const shown = {
      sid: kept.sid,
      service_sid: SERVICE,
      account_sid: ACCOUNT,
      to: kept.to,
      channel: kept.channel,
      status: kept.status,
      valid: kept.status === 'approved',
      amount: null,
      payee: null,
      date_created: iso(kept.createdMs),
      date_updated: iso(this.nowMs),
    }
    const attempts = kept.attempts.map(({ sid, atMs, channel }) => ({
      attempt_sid: sid,
      channel: channel.toUpperCase(),
      time: iso(atMs),
    }))
    const url = `https://verify.twilio.com/v2/Services/${SERVICE}/Verifications/${kept.sid}`
    const more =
      check === this.#checks.check
        ? { sna_attempts_error_codes: null }
        : { lookup: {}, sna: null, send_code_attempts: attempts, url }
    const body = { ...shown, ...more }
    sure(check, structuredClone(body), 'our verification')
    return json(status, body)
  }

  #attempts(query: Form): Answer {
    const after = Date.parse(one(query, 'DateCreatedAfter') ?? '')
    const attempts = this.kept
      .filter(({ to }) => to === query['ChannelData.To'] && query['VerifyServiceSid'] === SERVICE)
      .flatMap((kept) => kept.attempts.map((attempt) => ({ kept, attempt })))
      .filter(({ attempt }) => attempt.atMs > after)
      .map(({ kept, attempt }) => ({
        sid: attempt.sid,
        account_sid: ACCOUNT,
        service_sid: SERVICE,
        verification_sid: kept.sid,
        date_created: iso(attempt.atMs),
        date_updated: iso(attempt.atMs),
        conversion_status: 'unconverted',
        channel: attempt.channel,
        price: { value: '0.05', currency: 'usd' },
        channel_data: { to: kept.to, status: 'unconfirmed' },
        url: `https://verify.twilio.com/v2/Attempts/${attempt.sid}`,
      }))
    const url = `https://verify.twilio.com${ATTEMPTS}`
    const meta = {
      key: 'attempts',
      page: 0,
      page_size: 20,
      first_page_url: url,
      previous_page_url: null,
      url,
      next_page_url: null,
    }
    const list = { attempts, meta }
    sure(this.#checks.attempts, structuredClone(list), 'our attempts')
    return json(200, list)
  }

  #service(): Answer {
    const at = '2015-07-30T20:00:00Z'
    const url = `https://verify.twilio.com/v2/Services/${SERVICE}`
    const service = {
      sid: SERVICE,
      account_sid: ACCOUNT,
      friendly_name: VENDOR_TEXT,
      code_length: 6,
      lookup_enabled: false,
      psd2_enabled: false,
      skip_sms_to_landlines: false,
      dtmf_input_required: true,
      tts_name: null,
      do_not_share_warning_enabled: false,
      custom_code_enabled: false,
      default_template_sid: null,
      date_created: at,
      date_updated: at,
      url,
      links: { verifications: `${url}/Verifications` },
    }
    sure(this.#checks.service, structuredClone(service), 'our service')
    return json(200, service)
  }
}

function compile() {
  const checks = makeTwilioChecks('twilio_verify_v2')
  return {
    startForm: checks.form('post', VERIFICATIONS),
    updateForm: checks.form('post', VERIFICATION),
    checkForm: checks.form('post', CHECKS),
    attemptsQuery: checks.query(ATTEMPTS),
    verification: checks.answer('post', VERIFICATIONS, 201),
    check: checks.answer('post', CHECKS, 200),
    attempts: checks.answer('get', ATTEMPTS, 200),
    service: checks.answer('get', SERVICES, 200),
  }
}

/** A time as Twilio Verify writes it: whole seconds. */
export function iso(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z')
}
