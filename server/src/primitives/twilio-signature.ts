import { createHmac } from 'node:crypto'
import { hmac, type SecretKeys } from './secrets.ts'

/** As long as an auth token of Twilio's. */
const TOKEN_DIGITS = 32

/**
 * What Twilio signs a request to an app with: base64 of HMAC-SHA1, by the auth token, over the address with its query
 * and then every parameter's name and value, sorted by name. A name with several values is written with each different
 * one. (twilio.com/docs/usage/security)
 */
export function signatureOf(
  authToken: string,
  url: string,
  params: Readonly<Record<string, string | readonly string[]>>,
): string {
  let text = url.replace(/#.*$/s, '')
  for (const name of Object.keys(params).sort()) {
    const value = params[name] ?? ''
    if (typeof value === 'string') text += name + value
    else for (const each of [...new Set(value)].sort()) text += name + each
  }
  return createHmac('sha1', authToken).update(text).digest('base64')
}

/**
 * What stands in the place of an account's auth token in the signatures of its webhooks. The token itself is kept as a
 * hash, which signs nothing that anybody could check; this one is made of `SECRET_KEY`, and kept nowhere.
 */
export function webhookToken({ webhookKey }: SecretKeys, account: string): string {
  return hmac(webhookKey, account).toString('hex').slice(0, TOKEN_DIGITS)
}
