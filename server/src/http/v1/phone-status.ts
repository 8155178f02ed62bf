import { Type } from 'typebox'
import { callerOf } from '../access.ts'
import type { App } from '../app.ts'
import { NullableTime, problems } from '../schemas.ts'
import type { Services } from '../services.ts'

export const PhoneParams = Type.Object({ e164: Type.String({ pattern: '^\\+[1-9][0-9]{6,14}$' }) })

const schema = {
  summary: 'What is known of a number: information, never a proof',
  tags: ['Phones'],
  params: PhoneParams,
  response: {
    200: Type.Object({
      verified: Type.Boolean({ description: 'Some verification of it was approved' }),
      verified_at: NullableTime,
      code_sent: Type.Boolean({ description: 'A code is out and can still be checked' }),
      expired: Type.Boolean({ description: 'The newest verification ran out of time' }),
      created_at: NullableTime,
      expires_at: NullableTime,
    }),
    ...problems(400, 401, 403, 503),
  },
}

/** `GET /v1/phones/{e164}/status`. */
export function phoneStatus(app: App, services: Services): void {
  app.get('/v1/phones/:e164/status', { schema, config: { access: 'secret' } }, async (request) => {
    const { latest, approved } = await services.verifier.phoneStatus(request.params.e164, callerOf(request))
    return {
      verified: approved !== undefined,
      verified_at: iso(approved?.decidedAt),
      code_sent: latest?.status === 'pending' && latest.sends > 0,
      expired: latest?.status === 'expired',
      created_at: iso(latest?.createdAt),
      expires_at: iso(latest?.expiresAt),
    }
  })
}

function iso(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString()
}
