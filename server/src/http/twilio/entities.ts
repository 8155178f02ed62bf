import type { Owner } from '../../services/factor-deps.ts'
import { type Entity, isIdentity, toEntity } from '../../services/entities.ts'
import type { Services } from '../services.ts'
import { TwilioRefusal } from './errors.ts'
import { orRefusal } from './factor-refusals.ts'
import { pageOfKept } from './kept.ts'
import type { Route, TwilioCall } from './routes.ts'
import { rfc3339 } from './times.ts'
import { serviceOf } from './verifications.ts'

/** `/v2/Services/{ServiceSid}/Entities`: who has factors, by the names that a service knows them by. */
export function registerEntities(route: Route, services: Services): void {
  const { totp, settings } = services
  const base = '/v2/Services/:ServiceSid/Entities'
  const view = ({ account }: TwilioCall, entity: Entity) => entityView(entity, account, settings.publicUrl)

  route('POST', base, 201, async (call) => {
    const { id } = await serviceOf(services, call)
    const identity = readIdentity(call.form.required('Identity'))
    return view(call, await orRefusal(totp.entities.create(id, identity)))
  })

  route('GET', base, 200, async (call) => {
    const { id: parent } = await serviceOf(services, call)
    return pageOfKept(
      services,
      call,
      { kind: 'entity', parent },
      { key: 'entities', view: (record) => view(call, toEntity(record)) },
    )
  })

  route('GET', `${base}/:Identity`, 200, async (call) => {
    const { service, identity } = await ownerOf(services, call)
    return view(call, await orRefusal(totp.entities.mustFind(service.id, identity)))
  })

  route('DELETE', `${base}/:Identity`, 204, async (call) =>
    orRefusal(totp.factors.removeEntity(await ownerOf(services, call))),
  )
}

/** Whose factors a path is about. Throws 20404 where there is no such service. */
export async function ownerOf(services: Services, call: TwilioCall): Promise<Owner> {
  return { service: await serviceOf(services, call), identity: call.params['Identity'] ?? '' }
}

/** Reads how somebody is called. Throws 60200. */
export function readIdentity(text: string): string {
  if (!isIdentity(text)) throw new TwilioRefusal(60200, 'Identity')
  return text
}

/** The address of an entity. */
export function entityUrl(publicUrl: string, { service, identity }: Entity): string {
  return `${publicUrl}/v2/Services/${service}/Entities/${identity}`
}

function entityView(entity: Entity, account: string, publicUrl: string): Readonly<Record<string, unknown>> {
  const { id, service, identity, createdAt, updatedAt } = entity
  const url = entityUrl(publicUrl, entity)
  return {
    sid: id,
    identity,
    account_sid: account,
    service_sid: service,
    date_created: rfc3339(createdAt),
    date_updated: rfc3339(updatedAt),
    url,
    links: { factors: `${url}/Factors`, new_factors: `${url}/Factors`, challenges: `${url}/Challenges` },
  }
}
