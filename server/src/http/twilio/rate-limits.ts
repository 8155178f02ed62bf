import { isUniqueName, RATE_LIMITS_MAX, type RateLimitBody } from '../../services/rate-limit.ts'
import type { TenantRecord } from '../../services/records.ts'
import { isSid, makeSid } from '../../services/sids.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import { shortText } from './form.ts'
import { changeKept, pageOfKept } from './kept.ts'
import type { Route, TwilioCall } from './routes.ts'
import { mustFindService, notFound } from './services.ts'
import { rfc3339 } from './times.ts'

const KIND = 'rate_limit'

/** `/v2/Services/{ServiceSid}/RateLimits`: what a service counts starts by, besides what the server does. */
export function registerRateLimits(route: Route, services: Services): void {
  const { records, clock, settings, directory } = services
  const base = '/v2/Services/:ServiceSid/RateLimits'
  const view = (account: string) => (record: TenantRecord) =>
    rateLimitView(record, account, settings.publicUrl)

  route('POST', base, 201, async (call) => {
    const { id: parent } = await mustFindService(services, call)
    const name = call.form.required('UniqueName')
    if (!isUniqueName(name)) throw new TwilioRefusal(60209)
    const body: RateLimitBody = { description: shortText(call.form, 'Description') ?? null }
    // Two that come at once may both find room: one more than there should be harms nobody.
    const { data } = await records.list({ kind: KIND, parent, limit: RATE_LIMITS_MAX })
    const isKnown = data.some((record) => record.name === name)
    if (!isKnown && data.length >= RATE_LIMITS_MAX) throw new TwilioRefusal(60207)
    const id = makeSid('RK', clock.now())
    const made = await records.insert({ id, kind: KIND, parent, name, body: JSON.stringify(body) })
    if (made.isTaken) throw new TwilioRefusal(60208)
    directory.forgetLimit(parent, name)
    return view(call.account)(made.record)
  })

  route('GET', base, 200, async (call) => {
    const { id: parent } = await mustFindService(services, call)
    return pageOfKept(
      services,
      call,
      { kind: KIND, parent },
      { key: 'rate_limits', view: view(call.account) },
    )
  })

  route('GET', `${base}/:Sid`, 200, async (call) =>
    view(call.account)(await mustFindRateLimit(services, call, call.params['Sid'])),
  )

  route('POST', `${base}/:Sid`, 200, async (call) => {
    const description = shortText(call.form, 'Description')
    const changed = await changeKept(
      services,
      () => mustFindRateLimit(services, call, call.params['Sid']),
      ({ body }) => ({
        ...(JSON.parse(body) as RateLimitBody),
        ...(description === undefined ? {} : { description }),
      }),
    )
    return view(call.account)(changed)
  })

  route('DELETE', `${base}/:Sid`, 204, async (call) => {
    const { id, parent, name } = await mustFindRateLimit(services, call, call.params['Sid'])
    if (!(await records.remove(id))) throw notFound(call)
    directory.forgetLimit(parent, name ?? '')
  })
}

/** The rate limit that a path names, by its SID or its unique name. Throws 20404. */
export async function mustFindRateLimit(
  services: Services,
  call: TwilioCall,
  named = '',
): Promise<TenantRecord> {
  const { records } = services
  const { id: parent } = await mustFindService(services, call)
  const found = isSid('RK', named)
    ? await records.find(named)
    : isUniqueName(named) && (await records.findNamed(KIND, parent, named))
  if (!found || found.kind !== KIND || found.parent !== parent) throw notFound(call)
  return found
}

function rateLimitView(
  { id, parent, name, body, createdAt, updatedAt }: TenantRecord,
  account: string,
  publicUrl: string,
): Readonly<Record<string, unknown>> {
  const url = `${publicUrl}/v2/Services/${parent}/RateLimits/${id}`
  return {
    sid: id,
    service_sid: parent,
    account_sid: account,
    unique_name: name,
    description: (JSON.parse(body) as RateLimitBody).description,
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(updatedAt),
    url,
    links: { buckets: `${url}/Buckets` },
  }
}
