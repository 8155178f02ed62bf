import { waitSeconds } from '../../limits/window.ts'
import type { Checked } from '../../verify/checks.ts'
import type { Services } from '../services.ts'
import { noteCheck } from '../v1/check-verification.ts'
import { TwilioRefusal } from './errors.ts'
import type { Route, TwilioCall } from './routes.ts'
import { notFound } from './services.ts'
import { idPrefixOf } from './sids.ts'
import { readPayment } from './start-form.ts'
import { checkView } from './verification-views.ts'
import { readTo, serviceOf } from './verifications.ts'

const CODE = /^[A-Za-z0-9]{4,10}$/

/**
 * `POST /v2/Services/{ServiceSid}/VerificationCheck`: judges a guess, by the number or by the verification's SID. A wrong
 * code is an answer; one of too many is 60202, and what is not pending any more is not found.
 */
export function registerVerificationCheck(route: Route, services: Services): void {
  const { verifier, clock } = services
  route('POST', '/v2/Services/:ServiceSid/VerificationCheck', 200, async (call) => {
    const service = await serviceOf(services, call)
    const { form, account } = call
    const caller = { service: service.id, publishable: false }
    const code = form.required('Code')
    if (!CODE.test(code)) throw new TwilioRefusal(60200, 'Code')
    const paid = readPayment(form, service)
    const [to, sid] = [form.text('To'), form.text('VerificationSid')]
    if (!to && !sid) throw new TwilioRefusal(60221)
    let checked: Checked
    if (sid) {
      const prefix = idPrefixOf('VE', 'ver_', sid)
      const found = prefix === undefined ? undefined : await verifier.findByPrefix(prefix, caller)
      if (!found || (to && readTo(to).e164 !== found.to)) throw notFound(call)
      checked = await verifier.check(found.id, code, caller, paid)
    } else {
      checked = await verifier.checkByNumber({ to: to ?? '', code, paid }, caller)
    }
    noteCheck(services, call.request, checked)
    const { verification } = checked
    const status = statusOf(checked, clock.now(), call)
    return checkView({ account, verification, status })
  })
}

/** Where a verification stands for who has guessed; throws where Twilio tells no more of it. */
function statusOf({ reason, verification }: Checked, now: number, call: TwilioCall): 'approved' | 'pending' {
  switch (reason) {
    case 'approved':
      return 'approved'
    case 'wrong_code':
      // Also after the fifth: that it was the last is told to the next.
      return 'pending'
    case 'locked':
      // Until its time is over; by then it is gone.
      if (verification.expiresAt <= now) throw notFound(call)
      throw new TwilioRefusal(60202, '', waitSeconds(verification.expiresAt, now))
    default:
      throw notFound(call)
  }
}
