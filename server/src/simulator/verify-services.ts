import { json, type Answer } from './answers.ts'
import type { Carrier } from './carrier.ts'
import { one, type Form } from './form.ts'
import { Refusal } from './refusals.ts'
import { isSid, makeSid } from './sids.ts'
import { iso8601 } from './times.ts'

const KEPT_MAX = 1_000
const CODE_LENGTH = 6

/** A Verify service: whose name the text bears, and how long a code is. */
export type VerifyService = {
  readonly sid: string
  friendlyName: string
  codeLength: number
  readonly createdAt: number
}

/** The Verify services. One that nobody made is made when it is first named. */
export class VerifyServices {
  readonly #carrier: Carrier
  readonly #services = new Map<string, VerifyService>()

  constructor(carrier: Carrier) {
    this.#carrier = carrier
    carrier.onReset(() => this.#services.clear())
  }

  /** @throws Refusal 20404 for what is no service's identifier. */
  get(sid: string): VerifyService {
    if (!isSid('VA', sid)) throw new Refusal(20404, `/v2/Services/${sid}`)
    return this.#services.get(sid) ?? this.#make(sid, 'Simulator')
  }

  create(form: Form): Answer {
    const name = one(form, 'FriendlyName')
    if (name === undefined) throw new Refusal(60200, 'FriendlyName')
    return this.#changed(this.#make(makeSid('VA'), name), form, 201)
  }

  fetch(sid: string): Answer {
    return json(200, this.#json(this.get(sid)))
  }

  update(sid: string, form: Form): Answer {
    return this.#changed(this.get(sid), form, 200)
  }

  #make(sid: string, friendlyName: string): VerifyService {
    if (this.#services.size >= KEPT_MAX) this.#services.clear()
    const service = { sid, friendlyName, codeLength: CODE_LENGTH, createdAt: this.#carrier.clock.now() }
    this.#services.set(sid, service)
    return service
  }

  #changed(service: VerifyService, form: Form, status: number): Answer {
    const length = Number(one(form, 'CodeLength') ?? service.codeLength)
    if (!Number.isInteger(length) || length < 4 || length > 10) throw new Refusal(60200, 'CodeLength')
    service.friendlyName = one(form, 'FriendlyName') ?? service.friendlyName
    service.codeLength = length
    return json(status, this.#json(service))
  }

  #json({ sid, friendlyName, codeLength, createdAt }: VerifyService): Record<string, unknown> {
    const url = `https://verify.twilio.com/v2/Services/${sid}`
    return {
      sid,
      account_sid: this.#carrier.account.sid,
      friendly_name: friendlyName,
      code_length: codeLength,
      lookup_enabled: false,
      psd2_enabled: false,
      skip_sms_to_landlines: false,
      dtmf_input_required: false,
      tts_name: null,
      do_not_share_warning_enabled: false,
      custom_code_enabled: true,
      push: null,
      totp: null,
      whatsapp: null,
      passkeys: null,
      default_template_sid: null,
      verify_event_subscription_enabled: false,
      date_created: iso8601(createdAt),
      date_updated: iso8601(createdAt),
      url,
      links: { verifications: `${url}/Verifications`, verification_checks: `${url}/VerificationCheck` },
    }
  }
}
