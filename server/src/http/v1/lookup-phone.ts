import { Type } from 'typebox'
import { tryParsePhone } from '../../primitives/phone.ts'
import { callerOf } from '../access.ts'
import type { App } from '../app.ts'
import { takeRead } from '../read-limit.ts'
import { Country, problems } from '../schemas.ts'
import type { Services } from '../services.ts'

const NullableText = Type.Unsafe<string | null>({ type: ['string', 'null'] })

const schema = {
  summary: 'Read a number: is it valid, whose plan, what kind of line',
  tags: ['Phones'],
  body: Type.Object(
    { phone: Type.String({ minLength: 1, maxLength: 64 }), country: Type.Optional(Country) },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Object({
      valid: Type.Boolean(),
      e164: NullableText,
      country: NullableText,
      type: NullableText,
      national: NullableText,
    }),
    ...problems(400, 401, 403, 413, 415, 429, 503),
  },
}

/** `POST /v1/phones/lookup`. Offline: asks nobody and stores nothing. Limit: reads of an address, for publishable keys. */
export function lookupPhone(app: App, services: Services): void {
  app.post('/v1/phones/lookup', { schema, config: { access: 'any' } }, async (request) => {
    await takeRead(services, callerOf(request))
    const phone = tryParsePhone(request.body.phone, request.body.country)
    return {
      valid: phone !== undefined,
      e164: phone?.e164 ?? null,
      country: phone?.country ?? null,
      type: phone?.type ?? null,
      national: phone?.national ?? null,
    }
  })
}
