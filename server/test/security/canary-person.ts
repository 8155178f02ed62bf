import { expect } from 'vitest'
import { APP } from '../../src/auth/totp.ts'
import { codeOf } from '../../src/primitives/totp.ts'
import type { Answer, ServerProcess } from '../helpers/process.ts'
import type { Secret } from './dump-search.ts'

const PASSWORD = 'violet anchor 91 mosaic'
const NEXT_PASSWORD = 'seven otters ate 12 pears'
/** A step of an app, and longer than a number waits for its next code. */
const STEP_SECONDS = 60
const COOKIES = { 'x-session-mode': 'cookie' }

/** Something that only one answer may hold, or none: what the person typed. */
export type Told = Secret & { readonly by: Answer | undefined }

/** What somebody was answered, and what of it is a secret. */
export type Life = { readonly answers: readonly Answer[]; readonly told: readonly Told[] }

type Said = Readonly<Record<string, unknown>>

/**
 * Takes somebody through everything that can be done with second factors, rightly and wrongly. `newestText`: what the
 * carrier was given last.
 */
export async function liveWithFactors(
  server: ServerProcess,
  phone: string,
  newestText: () => string,
): Promise<Life> {
  const answers: Answer[] = []
  const told: Told[] = []
  let clockSeconds = 0
  let appSecret = ''
  let token = 'none'

  const keep = (kind: string, text: unknown, by?: Answer) => {
    if (typeof text === 'string') told.push({ kind, text, by })
  }
  const call = async (
    path: string,
    body?: object,
    {
      key = token,
      method = 'POST',
      headers = {},
    }: Partial<Record<'key' | 'method', string>> & { headers?: Record<string, string> } = {},
  ): Promise<Said> => {
    const url = path.startsWith('/') ? path : `/api/auth/${path}`
    const answer = await server.call(method, url, { key, headers, ...(body ? { body } : {}) })
    answers.push(answer)
    const said = answer.text.startsWith('{') ? (JSON.parse(answer.text) as Said) : {}
    keep('access token', said['access_token'], answer)
    keep('refresh token', said['refresh_token'], answer)
    keep('challenge token', said['challenge_token'], answer)
    keep('device token', said['device_token'], answer)
    keep('reset token', said['reset_token'], answer)
    keep('app secret', said['secret'], answer)
    keep('URL of an app', said['otpauth_url'], answer)
    keep('QR code', / d="([^"]+)"/.exec(String(said['qr_svg']))?.[1], answer)
    for (const code of (said['backup_codes'] as string[] | undefined) ?? []) keep('backup code', code, answer)
    for (const cookie of [answer.headers['set-cookie'] ?? []].flat())
      keep('device token', /countersign_device=([^;]+)/.exec(cookie)?.[1], answer)
    return said
  }
  const wait = async (seconds = STEP_SECONDS) => {
    clockSeconds += seconds
    await server.setClock(clockSeconds)
  }
  const textCode = () => {
    const code = /\d{10}/.exec(newestText())?.[0] ?? ''
    keep('text code', code)
    return code
  }
  const appCode = () => {
    const code = codeOf(APP, appSecret, Math.floor((Date.now() + clockSeconds * 1_000) / 30_000))
    keep('app code', code)
    return code
  }
  const login = (password: string, device_token?: string) =>
    call('login', { identifier: phone, password, ...(device_token ? { device_token } : {}) })
  const pass = (challenge: Said, factor: string, code: unknown, more: object = {}, headers = {}) =>
    call('2fa/verify', { challenge_token: challenge['challenge_token'], factor, code, ...more }, { headers })
  const comeIn = (grant: Said): Said => {
    token = String(grant['access_token'])
    expect(grant).toHaveProperty('user')
    return grant
  }
  /** Shows the app again, before what wants that. */
  const stepUp = async () => {
    await wait()
    comeIn(await pass(await call('2fa/challenge', {}), 'totp', appCode()))
  }

  const started = await call('register', { phone, password: PASSWORD })
  comeIn(await call('register/verify', { verification_id: started['verification_id'], code: textCode() }))
  await wait()

  // An app: set up, and shown wrongly first.
  const begun = await call('2fa/enable', { method: 'app' })
  appSecret = String(begun['secret'])
  for (const code of ['000000', appSecret, begun['otpauth_url'], [appCode()], { code: appCode() }, ''])
    await call('2fa/confirm', { code })
  await call('2fa/confirm', { code: appCode(), secret: appSecret })
  const { backup_codes: first } = await call('2fa/confirm', { code: appCode() })
  const codes = first as string[]

  // Signing in: every factor, wrong, misplaced and right.
  await wait()
  const wrongly = await login(PASSWORD)
  await pass(wrongly, 'totp', codes[0])
  await pass(wrongly, 'backup_code', appCode())
  await pass(wrongly, 'sms', codes[0])
  await pass(wrongly, codes[0] ?? '', codes[0])
  await pass(wrongly, 'backup_code', [codes[0]])
  await pass(wrongly, 'backup_code', codes[0], { device_token: codes[1] })
  await call('2fa/verify', { challenge_token: codes[0], factor: 'totp', code: appCode() })
  await call('2fa/send', { challenge_token: wrongly['challenge_token'] })
  await call('2fa/start-over', { challenge_token: wrongly['challenge_token'] })
  await call('me', undefined, { method: 'GET', key: String(wrongly['challenge_token']) })
  const right = comeIn(await pass(await login(PASSWORD), 'totp', appCode(), { remember_device: true }))
  await pass(await login(PASSWORD), 'totp', appCode())
  const byCode = await login(PASSWORD)
  comeIn(await pass(byCode, 'backup_code', codes[2]))
  await pass(byCode, 'backup_code', codes[3])
  await pass(await login(PASSWORD), 'backup_code', codes[2])

  // A device: remembered, and its token stolen; in a browser.
  const device = String(right['device_token'])
  const next = comeIn(await login(PASSWORD, device))
  await login('not the password', String(next['device_token']))
  await call(`devices?device_token=${device}`, undefined, { method: 'GET' })
  await call(`devices/${device}`, undefined, { method: 'DELETE' })
  await wait()
  await login(PASSWORD, device)
  await wait()
  const challenge = await login(PASSWORD)
  comeIn(await pass(challenge, 'totp', appCode(), { remember_device: true }, COOKIES))
  const cookie = told.findLast(({ kind }) => kind === 'device token')?.text ?? ''
  const headers = { ...COOKIES, cookie: `__Host-countersign_device=${cookie}` }
  comeIn(await call('login', { identifier: phone, password: PASSWORD }, { headers }))

  // Texts, beside the app.
  await stepUp()
  await call('2fa/enable', { method: 'sms' })
  await call('2fa/confirm', { code: '0000000000' })
  const { backup_codes: second } = await call('2fa/confirm', { code: textCode() })
  await wait()
  const byText = await login(PASSWORD)
  await call('2fa/send', { challenge_token: byText['challenge_token'] })
  comeIn(await pass(byText, 'sms', textCode()))
  await stepUp()
  await call('2fa/backup-codes', {})
  await pass(await login(PASSWORD), 'backup_code', (second as string[])[0])

  // A new password by text, an administrator, and the end.
  await wait()
  await call('password/reset/request', { phone })
  await expect.poll(() => told.every(({ text }) => !newestText().includes(text))).toBe(true)
  const reset = await call('password/reset/verify', { phone, code: textCode() })
  await call('password/reset', { reset_token: reset['reset_token'], password: NEXT_PASSWORD })
  comeIn(await pass(await login(NEXT_PASSWORD), 'totp', appCode()))
  const me = await call('me', undefined, { method: 'GET' })
  for (const path of [
    'sessions',
    'devices',
    '/admin/users',
    `/admin/users/${String(me['id'])}`,
    '/admin/events?limit=100',
  ])
    await call(path, undefined, { method: 'GET', key: path.startsWith('/') ? 'sk' : token })
  await call(`/admin/users/${String(me['id'])}/second-factor-reset`, {}, { key: 'sk' })
  await call('2fa/enable', { method: 'app' })
  await call('2fa/disable', { method: 'sms' })
  return { answers, told }
}
