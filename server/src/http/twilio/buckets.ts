import {
  BUCKET_HITS_MAX,
  BUCKET_SECONDS_MAX,
  type BucketBody,
  BUCKETS_MAX,
} from '../../services/rate-limit.ts'
import type { TenantRecord } from '../../services/records.ts'
import { makeSid } from '../../services/sids.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'
import { changeKept, mustFindKept, pageOfKept } from './kept.ts'
import { mustFindRateLimit } from './rate-limits.ts'
import type { Route, TwilioCall } from './routes.ts'
import { notFound } from './services.ts'
import { rfc3339 } from './times.ts'

const KIND = 'bucket'

/** `/v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets`: how many in how long a rate limit lets through. */
export function registerBuckets(route: Route, services: Services): void {
  const { records, clock, settings, directory } = services
  const base = '/v2/Services/:ServiceSid/RateLimits/:Sid/Buckets'
  const limitOf = (call: TwilioCall) => mustFindRateLimit(services, call, call.params['Sid'])
  const bucketOf = (call: TwilioCall, limit: TenantRecord) =>
    mustFindKept(
      services,
      call,
      { kind: KIND, letters: 'BL', parent: limit.id },
      call.params['BucketSid'] ?? '',
    )
  const view = (call: TwilioCall, limit: TenantRecord) => (bucket: TenantRecord) =>
    bucketView(bucket, limit, call.account, settings.publicUrl)
  const forget = ({ parent, name }: TenantRecord) => directory.forgetLimit(parent, name ?? '')

  /** Two that come at once may both find an interval free: then the stricter of them holds, as of all buckets. */
  const refuseTaken = async (limit: TenantRecord, interval: number, except?: string) => {
    const { data } = await records.list({ kind: KIND, parent: limit.id, limit: BUCKETS_MAX })
    const isTaken = data.some(
      ({ id, body }) => id !== except && (JSON.parse(body) as BucketBody).intervalSeconds === interval,
    )
    if (isTaken) throw new TwilioRefusal(60211)
    if (except === undefined && data.length >= BUCKETS_MAX) throw new TwilioRefusal(60210)
  }

  route('POST', base, 201, async (call) => {
    const limit = await limitOf(call)
    for (const name of ['Max', 'Interval']) call.form.required(name)
    const body = readBucketForm(call.form, { max: 0, intervalSeconds: 0 })
    await refuseTaken(limit, body.intervalSeconds)
    const { record } = await records.insert({
      id: makeSid('BL', clock.now()),
      kind: KIND,
      parent: limit.id,
      // Not the interval: a name stays, and an interval may be changed.
      name: null,
      body: JSON.stringify(body),
    })
    forget(limit)
    return view(call, limit)(record)
  })

  route('GET', base, 200, async (call) => {
    const limit = await limitOf(call)
    const as = { key: 'buckets', view: view(call, limit) }
    return pageOfKept(services, call, { kind: KIND, parent: limit.id }, as)
  })

  route('GET', `${base}/:BucketSid`, 200, async (call) => {
    const limit = await limitOf(call)
    return view(call, limit)(await bucketOf(call, limit))
  })

  route('POST', `${base}/:BucketSid`, 200, async (call) => {
    const limit = await limitOf(call)
    const changed = await changeKept(
      services,
      () => bucketOf(call, limit),
      async ({ id, body }) => {
        const wanted = readBucketForm(call.form, JSON.parse(body) as BucketBody)
        await refuseTaken(limit, wanted.intervalSeconds, id)
        return wanted
      },
    )
    forget(limit)
    return view(call, limit)(changed)
  })

  route('DELETE', `${base}/:BucketSid`, 204, async (call) => {
    const limit = await limitOf(call)
    const { id } = await bucketOf(call, limit)
    if (!(await records.remove(id))) throw notFound(call)
    forget(limit)
  })
}

/** What is not said stays as it was. Throws 60200. */
function readBucketForm(form: Form, was: BucketBody): BucketBody {
  return {
    max: form.integer('Max', 1, BUCKET_HITS_MAX) ?? was.max,
    intervalSeconds: form.integer('Interval', 1, BUCKET_SECONDS_MAX) ?? was.intervalSeconds,
  }
}

function bucketView(
  { id, body, createdAt, updatedAt }: TenantRecord,
  limit: TenantRecord,
  account: string,
  publicUrl: string,
): Readonly<Record<string, unknown>> {
  const { max, intervalSeconds } = JSON.parse(body) as BucketBody
  return {
    sid: id,
    rate_limit_sid: limit.id,
    service_sid: limit.parent,
    account_sid: account,
    max,
    interval: intervalSeconds,
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(updatedAt),
    url: `${publicUrl}/v2/Services/${limit.parent}/RateLimits/${limit.id}/Buckets/${id}`,
  }
}
