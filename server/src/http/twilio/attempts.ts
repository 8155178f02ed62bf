import { isSid } from '../../services/sids.ts'
import { type AttemptFilter, listAttempts, summarizeAttempts } from '../../verify/attempts.ts'
import type { Services } from '../services.ts'
import { attemptView, percentage } from './attempt-views.ts'
import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'
import { pageView, readPage } from './pages.ts'
import type { Route, TwilioCall } from './routes.ts'
import { notFound } from './services.ts'
import { idPrefixOf, readAttemptSid } from './sids.ts'
import { readTime } from './times.ts'
import { readTo } from './verifications.ts'

const CHANNELS = ['sms', 'call', 'whatsapp', 'email', 'rbm'] as const
const SERVICES_PAGE = 1_000

/** `/v2/Attempts`: what was sent for the verifications of an account's services, and how much of it did its work. */
export function registerAttempts(route: Route, services: Services): void {
  const { attempts, settings } = services
  const url = `${settings.publicUrl}/v2/Attempts`

  route('GET', '/v2/Attempts', 200, async (call) => {
    const { form, query, account } = call
    const { limit, cursor } = readPage(form)
    if (cursor !== undefined && !/^ver_[0-9a-f]{1,44}:\d{1,3}$/.test(cursor))
      throw new TwilioRefusal(20001, 'Page token is invalid')
    const filter = {
      ...readCommon(form),
      ...readOwn(form),
      services: await servicesAsked(services, call),
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    }
    const { data, nextCursor } = await listAttempts(attempts, filter)
    const views = data.map((attempt) => attemptView(attempt, account, url))
    return pageView('attempts', views, { url, form, query, nextCursor })
  })

  route('GET', '/v2/Attempts/Summary', 200, async (call) => {
    const { form } = call
    const prefix = form.text('DestinationPrefix')
    if (prefix !== undefined && !/^\+\d{1,15}$/.test(prefix))
      throw new TwilioRefusal(60200, 'DestinationPrefix')
    const { total, converted } = await summarizeAttempts(attempts, {
      ...readCommon(form),
      services: await servicesAsked(services, call),
      ...(prefix === undefined ? {} : { destinationPrefix: prefix }),
    })
    return {
      total_attempts: total,
      total_converted: converted,
      total_unconverted: total - converted,
      conversion_rate_percentage: percentage(converted, total),
      url: `${url}/Summary`,
    }
  })

  route('GET', '/v2/Attempts/:Sid', 200, async (call) => {
    const { verification, ordinal } = readAttemptSid(call.params['Sid'] ?? '') ?? {}
    if (verification === undefined) throw notFound(call)
    const found = await attempts.list({
      services: await servicesOf(services, call.account),
      verification,
      limit: ORDINALS,
    })
    const attempt = found.data.find((one) => one.ordinal === ordinal)
    if (!attempt) throw notFound(call)
    return attemptView(attempt, call.account, url)
  })
}

/** A verification has fewer attempts. */
const ORDINALS = 256

/** What the list and the summary are asked alike. */
function readCommon(form: Form): Omit<AttemptFilter, 'services'> {
  const channel = form.word('Channel', CHANNELS)
  const country = form.text('Country')
  if (country !== undefined && !/^[A-Za-z]{2}$/.test(country)) throw new TwilioRefusal(60200, 'Country')
  const [since, until] = [readTime(form, 'DateCreatedAfter'), readTime(form, 'DateCreatedBefore')]
  return {
    ...(channel === undefined || channel === 'email' || channel === 'rbm' ? {} : { channel }),
    ...(country === undefined ? {} : { country: country.toUpperCase() }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  }
}

/** What the list alone is asked. */
function readOwn(form: Form): Omit<AttemptFilter, 'services'> {
  const to = form.text('ChannelData.To')
  const status = form.word('Status', ['converted', 'unconverted'])
  const sid = form.text('VerificationSid')
  const verification = sid === undefined ? undefined : idPrefixOf('VE', 'ver_', sid)
  if (sid !== undefined && verification === undefined) throw new TwilioRefusal(60200, 'VerificationSid')
  return {
    ...(to === undefined ? {} : { to: readTo(to).e164 }),
    ...(status === undefined ? {} : { isConverted: status === 'converted' }),
    ...(verification === undefined ? {} : { verification }),
  }
}

/** The services of the account that are asked for; none where nothing can have been sent. */
async function servicesAsked(services: Services, { form, account }: TwilioCall): Promise<readonly string[]> {
  const channel = form.word('Channel', CHANNELS)
  if (channel === 'email' || channel === 'rbm') return []
  const sid = form.text('VerifyServiceSid')
  if (sid === undefined) return servicesOf(services, account)
  if (!isSid('VA', sid)) throw new TwilioRefusal(60200, 'VerifyServiceSid')
  const service = await services.records.find(sid)
  return service?.parent === account ? [sid] : []
}

/** Every service of an account. */
async function servicesOf({ records }: Services, account: string): Promise<readonly string[]> {
  const ids: string[] = []
  let from: { readonly cursor?: string } = {}
  for (;;) {
    const page = await records.list({ kind: 'service', parent: account, limit: SERVICES_PAGE, ...from })
    ids.push(...page.data.map(({ id }) => id))
    if (page.nextCursor === null) return ids
    from = { cursor: page.nextCursor }
  }
}
