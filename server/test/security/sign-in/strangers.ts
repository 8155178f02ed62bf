import type { Answer, ServerProcess } from '../../helpers/process.ts'
import { PLAIN, type Tokens } from './people.ts'

/** Numbers wait for nothing here, and addresses are anybody's. */
export const SETTINGS = {
  ...PLAIN,
  DEV_MODE: 'true',
  TRUSTED_PROXIES: '127.0.0.1',
  RESEND_COOLDOWN_SECONDS: '1',
  SMS_RATE_LIMIT_PER_PHONE: '1000',
  SMS_MAX_PER_PHONE_DAY: '1000',
}

/** An answer of the sign-in API. */
export type Said = Answer & {
  readonly json: Partial<Tokens> & Readonly<Record<string, unknown>> & { readonly backup_codes?: string[] }
}

let calls = 0

/** Calls as somebody at an address that nobody has used. */
export async function call(server: ServerProcess, path: string, body: object, token = 'none'): Promise<Said> {
  calls += 1
  const address = [10, (calls >> 16) & 255, (calls >> 8) & 255, calls & 255].join('.')
  const answer = await server.call('POST', `/api/auth/${path}`, {
    key: token,
    body,
    headers: { 'x-forwarded-for': address },
  })
  return { ...answer, json: JSON.parse(answer.text) as Said['json'] }
}

/** How many answers there were of each kind. */
export function tally(answers: readonly Said[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, json } of answers) {
    const what = status < 300 ? String(status) : `${status} ${String(json['limit'] ?? json['code'])}`
    counts[what] = (counts[what] ?? 0) + 1
  }
  return counts
}
