import { CHALLENGE_STATUSES, statusOf } from '../../services/challenge.ts'
import type { Challenged } from '../../services/totp-challenges.ts'
import type { Services } from '../services.ts'
import { readChallengeForm } from './challenge-form.ts'
import { entityUrl, ownerOf } from './entities.ts'
import { readCode, readTexts } from './factor-form.ts'
import { orRefusal } from './factor-refusals.ts'
import { pageView, readPage } from './pages.ts'
import type { Route, TwilioCall } from './routes.ts'
import { rfc3339 } from './times.ts'

/**
 * `/v2/Services/{ServiceSid}/Entities/{Identity}/Challenges`: codes of authenticator apps are judged here. A wrong one is
 * an answer: the challenge as it is, `pending`.
 */
export function registerChallenges(route: Route, services: Services): void {
  const { totp, clock, settings } = services
  const base = '/v2/Services/:ServiceSid/Entities/:Identity/Challenges'
  const view = ({ account }: TwilioCall, of: Challenged) =>
    challengeView({ ...of, account, publicUrl: settings.publicUrl, now: clock.now() })
  const sidOf = ({ params }: TwilioCall) => params['Sid'] ?? ''

  route('POST', base, 201, async (call) => {
    const owner = await ownerOf(services, call)
    const draft = readChallengeForm(call.form, clock.now())
    return view(call, await orRefusal(totp.challenges.create(owner, draft)))
  })

  route('GET', base, 200, async (call) => {
    const owner = await ownerOf(services, call)
    const { form, query, request } = call
    const factor = form.text('FactorSid')
    const status = form.word('Status', CHALLENGE_STATUSES)
    const page = totp.challenges.list(owner, {
      ...(factor === undefined ? {} : { factor }),
      ...(status === undefined ? {} : { status }),
      isAscending: form.word('Order', ['asc', 'desc']) === 'asc',
      ...readPage(form),
    })
    const { entity, data, nextCursor } = await orRefusal(page)
    const url = settings.publicUrl + (request.url.split('?', 1)[0] ?? '')
    const views = data.map((one) => view(call, { entity, ...one }))
    return pageView('challenges', views, { url, form, query, nextCursor })
  })

  route('GET', `${base}/:Sid`, 200, async (call) => {
    const owner = await ownerOf(services, call)
    return view(call, await orRefusal(totp.challenges.mustFind(owner, sidOf(call))))
  })

  route('POST', `${base}/:Sid`, 200, async (call) => {
    const owner = await ownerOf(services, call)
    const code = readCode(call.form)
    const metadata = readTexts(call.form, 'Metadata')
    const answered = totp.challenges.answer(owner, sidOf(call), {
      ...(code === undefined ? {} : { code }),
      ...(metadata === undefined ? {} : { metadata }),
    })
    return view(call, await orRefusal(answered))
  })
}

function challengeView(
  of: Challenged & { readonly account: string; readonly publicUrl: string; readonly now: number },
): Readonly<Record<string, unknown>> {
  const { entity, factor, challenge, account, publicUrl, now } = of
  const { createdAt, updatedAt, respondedAt, expiresAt, details } = challenge
  const url = `${entityUrl(publicUrl, entity)}/Challenges/${challenge.id}`
  return {
    sid: challenge.id,
    account_sid: account,
    service_sid: entity.service,
    entity_sid: entity.id,
    identity: entity.identity,
    factor_sid: factor.id,
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(updatedAt),
    date_responded: respondedAt === null ? null : rfc3339(respondedAt),
    expiration_date: rfc3339(expiresAt),
    status: statusOf(challenge, now),
    responded_reason: 'none',
    details: details && { ...details, date: rfc3339(createdAt) },
    hidden_details: challenge.hiddenDetails,
    metadata: challenge.metadata,
    factor_type: 'totp',
    url,
    links: { notifications: `${url}/Notifications` },
  }
}
