import { CountersignError } from '../../primitives/errors.ts'
import { parsePhone } from '../../primitives/phone.ts'
import type { TenantRecord } from '../../services/records.ts'
import { makeSid } from '../../services/sids.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import type { Route, TwilioCall } from './routes.ts'
import { notFound } from './services.ts'

const KIND = 'safe_number'

/** `/v2/SafeList/Numbers`: numbers that an account vouches for. Kept and shown; see docs/twilio-operations.md. */
export function registerSafeList(route: Route, services: Services): void {
  const { records, clock, settings } = services
  const base = '/v2/SafeList/Numbers'
  const view = ({ id, name }: TenantRecord) => ({
    sid: id,
    phone_number: name,
    url: `${settings.publicUrl}${base}/${name}`,
  })

  const mustFind = async (call: TwilioCall): Promise<TenantRecord> => {
    const name = numberOf(call.params['PhoneNumber'] ?? '')
    const found = name === undefined ? undefined : await records.findNamed(KIND, call.account, name)
    if (!found) throw notFound(call)
    return found
  }

  route('POST', base, 201, async ({ account, form }) => {
    const name = numberOf(form.required('PhoneNumber'))
    if (name === undefined) throw new TwilioRefusal(60200, 'PhoneNumber')
    const id = makeSid('GN', clock.now())
    const { record, isTaken } = await records.insert({ id, kind: KIND, parent: account, name, body: '{}' })
    if (isTaken) throw new TwilioRefusal(60411)
    return view(record)
  })

  route('GET', `${base}/:PhoneNumber`, 200, async (call) => view(await mustFind(call)))

  route('DELETE', `${base}/:PhoneNumber`, 204, async (call) => {
    const { id } = await mustFind(call)
    if (!(await records.remove(id))) throw notFound(call)
  })
}

/** A number as it is kept (E.164); undefined for what is none. */
function numberOf(text: string): string | undefined {
  try {
    return parsePhone(text).e164
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}
