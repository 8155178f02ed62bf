import { json, type Answer } from './answers.ts'
import type { Account } from './carrier.ts'
import { API_VERSION } from './reports.ts'

const AT = 'Thu, 15 Jan 2026 12:00:00 +0000'

/** Makes the check of HTTP Basic: the account by its auth token, or by an API key. */
export function makeAuthentication(account: Account): (authorization: string | undefined) => boolean {
  const accepted = new Set(
    [
      [account.sid, account.authToken],
      [account.apiKeySid, account.apiKeySecret],
    ].map((pair) => Buffer.from(pair.join(':')).toString('base64')),
  )
  // These credentials are printed for everybody to see: there is no secret to compare in equal time.
  return (authorization) => {
    const [scheme = '', token = ''] = (authorization ?? '').split(' ', 2)
    return scheme.toLowerCase() === 'basic' && accepted.has(token)
  }
}

/** The account itself, which programs ask for to see whether their credentials are good. */
export function showAccount({ sid }: Account): Answer {
  const uri = `/${API_VERSION}/Accounts/${sid}`
  const parts = ['messages', 'calls'] as const
  return json(200, {
    sid,
    owner_account_sid: sid,
    auth_token: 'not shown',
    friendly_name: 'Simulator',
    status: 'active',
    type: 'Full',
    date_created: AT,
    date_updated: AT,
    uri: `${uri}.json`,
    subresource_uris: Object.fromEntries(
      parts.map((part) => [part, `${uri}/${part === 'messages' ? 'Messages' : 'Calls'}.json`]),
    ),
  })
}
