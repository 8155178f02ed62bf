import { createHash, createHmac } from 'node:crypto'
import Sdk from 'twilio'
import type { Provider } from '../../src/messaging/provider.ts'
import { StandardWebhooks } from '../../src/primitives/standard-webhooks.ts'
import { makeTwilioProvider } from '../../src/providers/twilio.ts'
import { makeVonageProvider } from '../../src/providers/vonage.ts'
import { makeWebhookProvider } from '../../src/providers/webhook.ts'

/** A callback as it goes over the wire. */
export type Callback = { readonly headers: Readonly<Record<string, string>>; readonly body: string }

export const TWILIO_TOKEN = 'twilio-token-of-receipt-tests'
export const VONAGE_SECRET = 'vonage-signature-secret-of-tests'
export const WEBHOOK_SECRET = `whsec_${Buffer.from('webhook-secret-of-receipt-tests!').toString('base64')}`

const RETRIES = { maxRetries: 0, retryDelayMs: 1, requestTimeoutSeconds: 1 }

/** The real providers that read receipts; nothing here makes them send. `secrets: false` leaves out what signs. */
export async function makeSigningProviders({ secrets = true } = {}): Promise<Provider[]> {
  const accountSid = `AC${'0a'.repeat(16)}`
  const twilio = await makeTwilioProvider({
    accountSid,
    from: '+15005550006',
    ...(secrets
      ? { authToken: TWILIO_TOKEN }
      : { apiKeySid: `SK${'0b'.repeat(16)}`, apiKeySecret: 'a-secret-that-signs-no-callback' }),
    ...RETRIES,
  })
  const vonage = makeVonageProvider({
    apiKey: 'abcd1234',
    apiSecret: 'vonage-api-secret',
    from: 'Acme',
    ...(secrets ? { signatureSecret: VONAGE_SECRET } : {}),
    ...RETRIES,
  })
  const url = 'http://127.0.0.1:9/messages'
  const webhook = makeWebhookProvider(
    secrets
      ? { url, secrets: [WEBHOOK_SECRET], ...RETRIES }
      : {
          url,
          secrets: [],
          template: { format: 'json', body: { to: '{{to}}', text: '{{body}}' } },
          ...RETRIES,
        },
  )
  return [twilio, vonage, webhook]
}

/** The n-th message id that Twilio could have given. */
export function sidOf(n: number): string {
  return `SM${n.toString(16).padStart(32, '0')}`
}

/** A status callback of Twilio's, signed by its own SDK for this address. */
export function twilioCallback(
  url: string,
  form: Readonly<Record<string, string>>,
  token = TWILIO_TOKEN,
): Callback {
  const fields = { AccountSid: `AC${'0a'.repeat(16)}`, ApiVersion: '2010-04-01', ...form }
  return {
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
      'x-twilio-signature': Sdk.getExpectedTwilioSignature(token, url, fields),
    },
    body: new URLSearchParams(fields).toString(),
  }
}

/** A status callback of Vonage's, whose JWT is made here. */
export function vonageCallback(value: object, atMs: number, secret = VONAGE_SECRET): Callback {
  const body = JSON.stringify(value)
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const payload = {
    iat: Math.floor(atMs / 1000),
    jti: 'b0e8ef0b-6e0d-4b62-8ea4-9c4cf1f7a0d2',
    iss: 'Vonage',
    payload_hash: createHash('sha256').update(body).digest('hex'),
    api_key: 'abcd1234',
  }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(payload)}`
  const signature = createHmac('sha256', secret).update(signed).digest('base64url')
  return {
    headers: { 'content-type': 'application/json', authorization: `Bearer ${signed}.${signature}` },
    body,
  }
}

/** A receipt in our own form, signed by Standard Webhooks. */
export function webhookCallback(value: object, atMs: number, secret = WEBHOOK_SECRET): Callback {
  const body = JSON.stringify(value)
  const signature = new StandardWebhooks([secret]).sign('msg_1', atMs, body)
  return { headers: { 'content-type': 'application/json', ...signature }, body }
}
