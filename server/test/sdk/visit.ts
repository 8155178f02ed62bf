import { expect } from 'vitest'
import { run } from '../../../scripts/services/tools.ts'
import { phoneOf } from '../helpers/server.ts'
import { appCode } from '../helpers/totp-apps.ts'
import { startTwilio } from '../helpers/twilio-sdk.ts'

const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const ACCOUNT = `AC${'0'.repeat(31)}3`
/** Letters and digits: Twilio's SDK for Go sends no others. */
const TOKEN = '0123456789abcdef0123456789abcdef'

/**
 * Runs a program that does with Twilio's own SDK what a backend does: rate limits, a start, checks, attempts, an
 * authenticator app. Expects that it met what it would meet at Twilio.
 */
export async function expectVisit(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { url, server } = await startTwilio({ settings: { API_KEYS: `${ACCOUNT}:${TOKEN}` } })
  const now = server.clock.now()
  const printed = await run(command, args, {
    env: {
      ...process.env,
      VERIFY_URL: url,
      ACCOUNT_SID: ACCOUNT,
      AUTH_TOKEN: TOKEN,
      NUMBERS: `${phoneOf(1)},${phoneOf(2)}`,
      APP_SECRET: SECRET,
      APP_CODES: `${appCode(SECRET, now)},${appCode(SECRET, now, 1)}`,
      ...env,
    },
  })
  expect(JSON.parse(printed)).toEqual({
    names: ['end_user_ip', 'session'],
    pending: 'pending',
    limited: [429, 20429],
    wrong: ['pending', false],
    right: ['approved', true],
    isSame: true,
    ended: [404, 20404],
    attempts: ['converted'],
    factor: ['unverified', 'verified'],
    challenge: 'approved',
  })
}
