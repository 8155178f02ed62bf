import type { Entity } from '../../services/entities.ts'
import { type Factor, toFactor } from '../../services/factor.ts'
import type { Services } from '../services.ts'
import { entityUrl, ownerOf, readIdentity } from './entities.ts'
import { readFactorChange, readFactorForm } from './factor-form.ts'
import { orRefusal } from './factor-refusals.ts'
import { pageOfKept } from './kept.ts'
import type { Route, TwilioCall } from './routes.ts'
import { rfc3339 } from './times.ts'

/**
 * `/v2/Services/{ServiceSid}/Entities/{Identity}/Factors`: authenticator apps. A wrong first code is an answer: the
 * factor as it is, `unverified`.
 */
export function registerFactors(route: Route, services: Services): void {
  const { totp, settings } = services
  const base = '/v2/Services/:ServiceSid/Entities/:Identity/Factors'
  const view = ({ account }: TwilioCall, of: { entity: Entity; factor: Factor }) =>
    factorView({ ...of, account, publicUrl: settings.publicUrl })
  const sidOf = ({ params }: TwilioCall) => params['Sid'] ?? ''

  route('POST', base, 201, async (call) => {
    const owner = await ownerOf(services, call)
    readIdentity(owner.identity)
    const draft = readFactorForm(call.form, owner.service.totp)
    const { secret, url: uri, ...made } = await orRefusal(totp.factors.create(owner, draft))
    // A push factor has options.
    return { ...view(call, made), binding: { secret, uri }, options: null }
  })

  route('GET', base, 200, async (call) => {
    const { service, identity } = await ownerOf(services, call)
    const entity = await orRefusal(totp.entities.mustFind(service.id, identity))
    return pageOfKept(
      services,
      call,
      { kind: 'factor', parent: entity.id },
      { key: 'factors', view: (record) => view(call, { entity, factor: toFactor(record) }) },
    )
  })

  route('GET', `${base}/:Sid`, 200, async (call) => {
    const owner = await ownerOf(services, call)
    return view(call, await orRefusal(totp.factors.mustFind(owner, sidOf(call))))
  })

  route('POST', `${base}/:Sid`, 200, async (call) => {
    const owner = await ownerOf(services, call)
    const change = readFactorChange(call.form)
    return view(call, await orRefusal(totp.factors.change(owner, sidOf(call), change)))
  })

  route('DELETE', `${base}/:Sid`, 204, async (call) =>
    orRefusal(totp.factors.remove(await ownerOf(services, call), sidOf(call))),
  )
}

/** A factor as Twilio shows it: never with its secret. */
function factorView(of: {
  readonly entity: Entity
  readonly factor: Factor
  readonly account: string
  readonly publicUrl: string
}): Readonly<Record<string, unknown>> {
  const { entity, factor, account, publicUrl } = of
  const { rules } = factor
  return {
    sid: factor.id,
    account_sid: account,
    service_sid: entity.service,
    entity_sid: entity.id,
    identity: entity.identity,
    date_created: rfc3339(factor.createdAt),
    date_updated: rfc3339(factor.updatedAt),
    friendly_name: factor.friendlyName,
    status: factor.isVerified ? 'verified' : 'unverified',
    factor_type: 'totp',
    config: {
      alg: rules.algorithm,
      skew: rules.window,
      code_length: rules.digits,
      time_step: rules.periodSeconds,
    },
    metadata: factor.metadata,
    url: `${entityUrl(publicUrl, entity)}/Factors/${factor.id}`,
  }
}
