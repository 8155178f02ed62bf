import type { TwilioAccount } from './twilio-account.ts'
import type { TwilioConnection } from './twilio-connection.ts'
import { TwilioFailure } from './twilio-failure.ts'

/** Looks whether Twilio accepts the credentials, without sending anything. */
export async function probeTwilio(
  { sdk, http }: TwilioConnection,
  settings: TwilioAccount,
  signal: AbortSignal,
): Promise<{ ok: boolean; detail: string }> {
  const account = `account ${settings.accountSid.slice(0, 6)}…`
  try {
    const { status } = await http.within(signal, () => sdk.api.v2010.accounts(settings.accountSid).fetch())
    return {
      ok: status === 'active',
      detail: `${account} is ${status === 'active' ? 'active' : 'not active'}`,
    }
  } catch (error) {
    const refused = error instanceof TwilioFailure && error.why === 'misconfigured'
    if (!refused || settings.apiKeySid === undefined)
      return { ok: false, detail: `${account}: ${codeOf(error)}` }
  }
  // A Standard API key may send but not read the account. The list of a day before Twilio existed is empty.
  try {
    const query = { limit: 1, pageSize: 1, dateSent: new Date(0) }
    await http.within(signal, () => sdk.messages.list(query))
    return { ok: true, detail: `${account}: the API key may use messages` }
  } catch (error) {
    return { ok: false, detail: `${account}: ${codeOf(error)}` }
  }
}

/** Why a question was not answered: a code, and no word of Twilio's. */
export function codeOf(error: unknown): string {
  return error instanceof TwilioFailure ? error.code : 'unreadable answer'
}
