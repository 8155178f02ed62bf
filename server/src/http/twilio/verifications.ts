import { decide } from '../../guard/guard.ts'
import type { Send } from '../../messaging/store.ts'
import { addressKey, parseIp } from '../../primitives/address.ts'
import { CountersignError } from '../../primitives/errors.ts'
import { parsePhone, type Phone } from '../../primitives/phone.ts'
import type { Service } from '../../services/service.ts'
import type { Caller } from '../../verify/rules.ts'
import type { Verification } from '../../verify/verification.ts'
import type { Services } from '../services.ts'
import { noteStart } from '../v1/start-verification.ts'
import { TwilioRefusal } from './errors.ts'
import type { Route, TwilioCall } from './routes.ts'
import { serviceCounters } from './service-limits.ts'
import { notFound } from './services.ts'
import { idPrefixOf } from './sids.ts'
import { readStartForm } from './start-form.ts'
import { type Lookup, verificationView } from './verification-views.ts'

/** `/v2/Services/{ServiceSid}/Verifications`: starts verifications, shows them, and ends them by hand. */
export function registerVerifications(route: Route, services: Services): void {
  const { verifier, messenger, settings } = services
  const { publicUrl } = settings
  const base = '/v2/Services/:ServiceSid/Verifications'

  route('POST', base, 201, async (call) => {
    const service = await serviceOf(services, call)
    const { start, deviceIp, rateLimits } = readStartForm(call.form, service, services.templates)
    const phone = readTo(start.to)
    refuseUnreachable(services, phone, start.channel)
    const alsoCounted = await serviceCounters(services, service, rateLimits)
    const caller: Caller = {
      service: service.id,
      publishable: false,
      alsoCounted,
      ...(deviceIp === undefined ? {} : { address: readIp(deviceIp) }),
    }
    const started = await verifier.start({ ...start, to: phone.e164 }, caller)
    noteStart(services, call.request, started)
    const { verification, sends } = started
    refuseUnsent(verification, sends)
    const lookup = lookupOf(service, phone)
    return verificationView({ account: call.account, verification, sends, lookup, publicUrl })
  })

  const answer = async (call: TwilioCall, service: Service, verification: Verification) => {
    const sends = await messenger.sendsOf(verification.id)
    const lookup = lookupOf(service, parsePhone(verification.to))
    return verificationView({ account: call.account, verification, sends, lookup, publicUrl })
  }

  route('GET', `${base}/:Sid`, 200, async (call) => {
    const service = await serviceOf(services, call)
    return answer(call, service, await mustFindVerification(services, service, call))
  })

  route('POST', `${base}/:Sid`, 200, async (call) => {
    const service = await serviceOf(services, call)
    call.form.required('Status')
    const status = call.form.word('Status', ['canceled', 'approved'])
    const { id } = await mustFindVerification(services, service, call)
    const caller: Caller = { service: service.id, publishable: false }
    const ended =
      status === 'approved' ? await verifier.accept(id, caller) : await verifier.cancel(id, caller)
    return answer(call, service, ended)
  })
}

/** The service that a path names, as it was two seconds ago at most: for what is called often. Throws 20404. */
export async function serviceOf({ directory }: Services, call: TwilioCall): Promise<Service> {
  const service = await directory.find(call.params['ServiceSid'] ?? '')
  if (service?.account !== call.account) throw notFound(call)
  return service
}

/** Reads a number. Throws 60200. */
export function readTo(to: string): Phone {
  try {
    return parsePhone(to, { field: 'to' })
  } catch (error) {
    if (error instanceof CountersignError) throw new TwilioRefusal(60200, 'To')
    throw error
  }
}

/** The verification that a SID of the service names; one that has ended otherwise than by hand is not shown any more. */
async function mustFindVerification(
  { verifier }: Services,
  service: Service,
  call: TwilioCall,
): Promise<Verification> {
  const prefix = idPrefixOf('VE', 'ver_', call.params['Sid'] ?? '')
  const found =
    prefix === undefined
      ? undefined
      : await verifier.findByPrefix(prefix, { service: service.id, publishable: false })
  if (found?.status !== 'pending' && found?.status !== 'canceled') throw notFound(call)
  return found
}

function readIp(text: string): string {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new TwilioRefusal(60200, 'DeviceIp')
  return addressKey(parsed)
}

/** Refuses what can be known beforehand not to go out. */
function refuseUnreachable(
  { messenger, guard }: Services,
  phone: Phone,
  channel: Verification['channel'],
): void {
  if (!messenger.carries(channel)) throw new TwilioRefusal(60223, channel)
  const { reasons } = decide(guard, phone, channel)
  if (reasons.includes('country_not_allowed')) throw new TwilioRefusal(60605)
  if (reasons.includes('fixed_line')) throw new TwilioRefusal(60205)
  if (reasons.length > 0) throw new TwilioRefusal(60238)
}

/** Refuses as Twilio what no provider took. */
function refuseUnsent({ status }: Verification, sends: readonly Send[]): void {
  if (status === 'blocked') throw new TwilioRefusal(60238)
  if (status !== 'failed') return
  switch (sends.at(-1)?.error) {
    case 'wrong_channel':
      throw new TwilioRefusal(60205)
    case 'blocked':
      throw new TwilioRefusal(60410)
    case 'opted_out':
      throw new TwilioRefusal(60238)
    default:
      throw new TwilioRefusal(60200, 'To')
  }
}

/** What our metadata tells of the number. No carrier is asked. */
function lookupOf({ isLookupEnabled }: Service, { type }: Phone): Lookup {
  if (!isLookupEnabled) return {}
  const kind = type === 'fixed_line' ? 'landline' : type === 'mobile' || type === 'voip' ? type : null
  return {
    carrier: {
      mobile_country_code: null,
      mobile_network_code: null,
      name: null,
      type: kind,
      error_code: null,
    },
  }
}
