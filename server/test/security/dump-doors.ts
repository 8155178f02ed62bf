import type { Countersign } from '../../src/main.ts'
import { clientOf, type Person, type World } from './dump-world.ts'

/** A way into an account or a server for who has one right text. A thief even knows all the others. */
export type Door = {
  /** How the texts that open it begin. */
  readonly prefix: string
  /** What is answered to a text that does not. */
  readonly refusal: string
  /** Tries a text on the n-th person; resolves with `opened`, or with why not. Each try has an address of its own. */
  open(text: string, n: number): Promise<string>
}

/** Every door of a server that a text opens, by what it takes. */
export function doorsOf(world: World): Record<string, Door> {
  const { people, countersign } = world
  const victim = (n: number) => people[n % people.length] as Person
  const post = (path: string, body: object, n: number) => call(world, n, { method: 'POST', path, body })
  const login = (n: number, more: object) => {
    const { phone: identifier, password } = victim(n)
    return post('login', { identifier, password, ...more }, n)
  }
  const pass = (n: number, challenge_token: string, code: string) =>
    post('2fa/verify', { challenge_token, factor: 'backup_code', code }, n)
  return {
    'refresh token': {
      prefix: 'rt_',
      refusal: 'unauthorized',
      open: (refresh_token, n) => post('refresh', { refresh_token }, n),
    },
    'device token': {
      prefix: 'dt_',
      refusal: 'second_factor_required',
      open: (device_token, n) => login(n, { device_token }),
    },
    password: {
      prefix: '',
      refusal: 'invalid_credentials',
      open: (password, n) => login(n, { password, device_token: victim(n).deviceToken }),
    },
    'challenge token': {
      prefix: 'cht_',
      refusal: 'challenge_ended',
      open: (token, n) => pass(n, token, victim(n).backupCodes[9] ?? ''),
    },
    'backup code': {
      prefix: '',
      refusal: 'invalid_code',
      open: async (code, n) => pass(n, await challengeOf(countersign, victim(n), n), code),
    },
    'reset token': {
      prefix: 'rst_',
      refusal: 'invalid_code',
      open: (reset_token, n) => post('password/reset', { reset_token, password: 'a thief likes 7 plums' }, n),
    },
    'access token': {
      prefix: '',
      refusal: 'unauthorized',
      open: (key, n) => call(world, n, { method: 'GET', path: 'me', key }),
    },
    'API key': {
      prefix: 'sk_',
      refusal: 'unauthorized',
      open: (key, n) => call(world, n, { method: 'GET', path: '/v1/verifications?limit=1', key }),
    },
  }
}

async function challengeOf({ auth }: Countersign, { phone, password }: Person, n: number): Promise<string> {
  const entered = await auth.passwords.login({ identifier: phone, password }, clientOf(n))
  if (entered.kind !== 'challenge') throw new Error('no second factor is asked for')
  return entered.token
}

async function call(
  { app }: World,
  n: number,
  { method, path, body, key }: { method: 'GET' | 'POST'; path: string; body?: object; key?: string },
): Promise<string> {
  const answer = await app.inject({
    method,
    url: path.startsWith('/') ? path : `/api/auth/${path}`,
    // Limits of an address are no defence against who has many.
    remoteAddress: ['10', 100 + (n >> 16), (n >> 8) & 255, n & 255].join('.'),
    ...(key === undefined ? {} : { headers: { authorization: `Bearer ${encodeURI(key)}` } }),
    ...(body === undefined ? {} : { payload: body }),
  })
  const said: { code?: string; status?: string | number } = answer.json()
  if (answer.statusCode !== 200) return String(said.code)
  return said.status === 'second_factor_required' ? said.status : 'opened'
}
