import { Type } from 'typebox'
import type { App } from '../app.ts'
import { problems } from '../schemas.ts'
import type { Services } from '../services.ts'
import { PhoneParams } from './phone-status.ts'

const schema = {
  summary: 'What the limits of a number have left',
  tags: ['Phones'],
  params: PhoneParams,
  response: {
    200: Type.Object({
      limited: Type.Boolean({ description: 'A limit is spent' }),
      limits: Type.Array(
        Type.Object({
          name: Type.String(),
          limit: Type.Integer(),
          remaining: Type.Integer(),
          window_seconds: Type.Integer(),
          resets_at: Type.String({ format: 'date-time', description: 'When it has one more to give' }),
        }),
      ),
    }),
    ...problems(400, 401, 403, 503),
  },
}

/** `GET /v1/phones/{e164}/limits`. Looks, and counts nothing. */
export function phoneLimits(app: App, services: Services): void {
  app.get('/v1/phones/:e164/limits', { schema, config: { access: 'secret' } }, async (request) => {
    const states = await services.verifier.phoneLimits(request.params.e164)
    return {
      limited: states.some((state) => state.remaining === 0),
      limits: states.map(({ rule, remaining, resetsAt }) => ({
        name: rule.name,
        limit: rule.limit,
        remaining,
        window_seconds: rule.windowSeconds,
        resets_at: new Date(resetsAt).toISOString(),
      })),
    }
  })
}
