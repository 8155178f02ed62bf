import type { Config } from '../config.ts'
import type { MadeForDevelopment } from '../main.ts'

/** Hosts that are this machine, by the name that people know it by. */
const LOCAL = new Set(['127.0.0.1', '::1', 'localhost', '0.0.0.0', '::'])

/** What development prints when the server is up: where everything is, keys, and commands to try. */
export function banner(config: Config, port: number, made: MadeForDevelopment): string {
  const { publicUrl, publicUrlGiven, host } = config.http
  const name = LOCAL.has(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const url = publicUrlGiven ? publicUrl : `http://${name}:${port}`
  const { devKeys, devAccount } = made
  const key = devKeys?.secret ?? config.secrets.apiKeys.find((fixed) => fixed.startsWith('sk_'))
  const publishable = devKeys ? `\n  Publishable   ${devKeys.publishable}` : ''
  const fixed = config.secrets.apiKeys.find((each) => each.startsWith('AC'))
  const [sid, token] = devAccount ? [devAccount.account, devAccount.token] : (fixed?.split(':') ?? [])
  const account =
    sid === undefined ? '' : `\n  Account SID   ${sid}   (Twilio Verify’s API)\n  Auth Token    ${token}`
  const inbox = config.messaging.providers.includes('mock') ? `\n  Inbox         ${url}/dev/inbox` : ''
  return `
  Countersign is up at ${url}   (development: not for real users)

  Docs          ${url}/docs${inbox}
  Secret key    ${key ?? 'none: API_KEYS holds no sk_…; make one: countersign keys create'}${publishable}${account}
${key === undefined ? '' : sample(url, key)}`
}

/** Two commands that verify a number, to paste as they are. */
function sample(url: string, key: string): string {
  const json = `-H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json'`
  return `
  Verify a number: start, take the code from the message, check it.

    CODE=$(curl -s ${url}/v1/verifications ${json} \\
      -d '{"to":"+14155552671"}' | sed -E 's/.*"preview_code":"([0-9]+)".*/\\1/')
    curl -s ${url}/v1/checks ${json} \\
      -d '{"to":"+14155552671","code":"'$CODE'"}'
`
}
