import type TwilioSdk from 'twilio'
import type { TwilioAccount } from './twilio-account.ts'
import { makeTwilioHttp, type TwilioHttp } from './twilio-http.ts'

/** The official SDK over a way to the network of ours. */
export type TwilioConnection = { readonly sdk: ReturnType<typeof TwilioSdk>; readonly http: TwilioHttp }

/**
 * Loads the SDK, which takes 150 ms, and binds it to one origin: that of the API named.
 *
 * @throws Error naming the setting that is missing or malformed; never its value.
 */
export async function connectTwilio(
  account: TwilioAccount,
  api: 'api' | 'verify',
): Promise<TwilioConnection> {
  const [username, password] = credentialsOf(account)
  const given = account.baseUrl ?? 'https://api.twilio.com'
  if (!URL.canParse(given)) throw new Error('Twilio baseUrl is not a URL')
  // One setting serves both: `https://api.dublin.ie1.twilio.com` stands for `https://verify.dublin.ie1.twilio.com`.
  const baseUrl = given.replace(
    /^(https?:\/\/)(?:api|verify)(?=(?:\.[a-z0-9-]+)*\.twilio\.com(?:[:/]|$))/i,
    `$1${api}`,
  )
  const { default: Sdk } = await import('twilio')
  const http = makeTwilioHttp(Sdk.RequestClient, {
    origin: new URL(baseUrl).origin,
    timeoutMs: account.requestTimeoutSeconds * 1_000,
  })
  const sdk = Sdk(username, password, { accountSid: account.accountSid, httpClient: http.client })
  // Replaces the path; the host is the pool's, whatever edge or region the SDK finds in the environment.
  sdk.api.baseUrl = baseUrl
  sdk.verify.baseUrl = baseUrl
  return { sdk, http }
}

function credentialsOf(account: TwilioAccount): [string, string] {
  const { accountSid, authToken, apiKeySid, apiKeySecret } = account
  if (!/^AC[0-9a-fA-F]{32}$/.test(accountSid))
    throw new Error('Twilio accountSid must be AC and 32 hex digits')
  if ((apiKeySid === undefined) !== (apiKeySecret === undefined)) {
    throw new Error('Twilio apiKeySid and apiKeySecret go together')
  }
  if (apiKeySid !== undefined && apiKeySecret !== undefined) return [apiKeySid, apiKeySecret]
  if (authToken === undefined) throw new Error('Twilio needs authToken, or apiKeySid and apiKeySecret')
  return [accountSid, authToken]
}
