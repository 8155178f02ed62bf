import { createHmac } from 'node:crypto'

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
