import { join } from 'node:path'
import { expect, describe, test } from 'vitest'
import { sqliteRowsOf } from '../../helpers/data/sqlite.ts'
import { makeScriptedProvider } from '../../helpers/scripted-provider.ts'
import {
  type Answer,
  type Json,
  makeTempDir,
  phoneOf,
  startServer,
  type TestServer,
} from '../../helpers/server.ts'
import { wrong } from '../../helpers/wire.ts'
import { ask, codeTo, PASSWORD, PLAIN, register, settled, signIn } from './people.ts'

const DAY = 86_400
const KNOWN = phoneOf(1)
const UNKNOWN = phoneOf(2)
const KNOWN_EMAIL = 'known@example.org'
const UNKNOWN_EMAIL = 'other@example.org'

/** One of the two who are told apart, if anything tells. */
type Person = {
  readonly phone: string
  readonly email: string
  readonly address: string
  readonly state: Map<string, string>
}

/** What a stranger asks, again and again. */
type Flow = (server: TestServer, person: Person, n: number) => Promise<Answer<Json>>

const FLOWS: Readonly<Record<string, Flow>> = {
  register: (server, { phone, address }) =>
    ask(server, 'auth/register', { phone, password: PASSWORD }, { remoteAddress: address }),
  'register with an e-mail that is taken': (server, { email, phone, address }) =>
    ask(server, 'auth/register', { phone, password: PASSWORD, email }, { remoteAddress: address }),
  'register, its resend and wrong codes': async (server, { phone, address, state }, n) => {
    const call = { remoteAddress: address }
    const id = state.get('id')
    if (id === undefined) {
      const answer = await ask(server, 'auth/register', { phone, password: PASSWORD }, call)
      if (answer.status === 202) state.set('id', String(answer.body['verification_id']))
      return answer
    }
    return n % 3 === 0
      ? ask(server, 'auth/register/resend', { verification_id: id }, call)
      : ask(server, 'auth/register/verify', { verification_id: id, code: '0000' }, call)
  },
  'login by number': (server, { phone, address }) =>
    ask(
      server,
      'auth/login',
      { identifier: phone, password: 'not the password' },
      { remoteAddress: address },
    ),
  'login by e-mail': (server, { email, address }) =>
    ask(
      server,
      'auth/login',
      { identifier: email, password: 'not the password' },
      { remoteAddress: address },
    ),
  'login from ever new addresses': (server, { phone, address }, n) =>
    ask(
      server,
      'auth/login',
      { identifier: phone, password: 'not the password' },
      { remoteAddress: address.replace(/\d+$/, String(n)) },
    ),
  'password/reset/request': (server, { phone, address }) =>
    ask(server, 'auth/password/reset/request', { phone }, { remoteAddress: address }),
  'password/reset/request and wrong codes': (server, { phone, address }, n) =>
    n % 4 === 0
      ? ask(server, 'auth/password/reset/request', { phone }, { remoteAddress: address })
      : ask(
          server,
          'auth/password/reset/verify',
          { phone, code: `000${n % 10}` },
          { remoteAddress: address },
        ),
  'password/reset/verify with nothing asked for': (server, { phone, address }) =>
    ask(server, 'auth/password/reset/verify', { phone, code: '000000' }, { remoteAddress: address }),
  'otp/request': (server, { phone, address }) =>
    ask(server, 'auth/otp/request', { phone }, { remoteAddress: address }),
  'otp/request and wrong codes': (server, { phone, address }, n) =>
    n % 4 === 0
      ? ask(server, 'auth/otp/request', { phone }, { remoteAddress: address })
      : ask(server, 'auth/verify-otp', { phone, otp: `000${n % 10}` }, { remoteAddress: address }),
  'phone/undo/request and wrong codes': (server, { phone, address }, n) =>
    n % 4 === 0
      ? ask(server, 'auth/phone/undo/request', { phone }, { remoteAddress: address })
      : ask(server, 'auth/phone/undo', { phone, code: `000${n % 10}` }, { remoteAddress: address }),
}

/** Seconds between two asks: at once, before and after every wait, and past the hour and the day. */
const PAUSES = [
  0,
  0,
  0,
  0,
  0,
  29,
  2,
  0,
  0,
  61,
  1,
  0,
  121,
  0,
  240,
  1,
  480,
  0,
  600,
  600,
  600,
  0,
  0,
  3_600,
  0,
  7_200,
  14_400,
  0,
  0,
  DAY,
  0,
]

/** What a stranger sees of an answer, without what is new in each. */
function shapeOf({ status, headers, text }: Answer<Json>) {
  const { date: _, 'x-request-id': id, ...rest } = headers
  const same = text.replaceAll(/(ver|req)_[0-9a-f]+/g, (found) => `${found.slice(0, 4)}${found.length}`)
  return { status, headers: rest, idLength: String(id).length, length: text.length, text: same }
}

/** How an account came to be, and what has become of it. */
const ACCOUNTS: Readonly<Record<string, (server: TestServer) => Promise<void>>> = {
  'with a password': async (server) => {
    await register(server, KNOWN, { email: KNOWN_EMAIL })
    server.clock.advance(3 * DAY)
  },
  'without a password': async (server) => {
    const { access_token: token } = await signIn(server, KNOWN)
    await ask(server, 'auth/me', { email: KNOWN_EMAIL }, { token, method: 'PATCH' })
    server.clock.advance(3 * DAY)
  },
  'that is shut': async (server) => {
    const { user } = await register(server, KNOWN, { email: KNOWN_EMAIL })
    await server.countersign.auth.administration.setStatus(user.id, 'disabled', {
      actor: 'admin',
      address: null,
      agent: null,
    })
    server.clock.advance(3 * DAY)
  },
  'whose number was proven long ago': async (server) => {
    await register(server, KNOWN, { email: KNOWN_EMAIL })
    server.clock.advance(366 * DAY)
  },
  'that is signed in': async (server) => {
    await register(server, KNOWN, { email: KNOWN_EMAIL })
    server.clock.advance(2 * DAY)
  },
}

/** Limits that so many asks reach. */
const SMALL = {
  WRONG_PASSWORDS_PER_ACCOUNT_DAY: '12',
  SIGN_IN_CALLS_PER_ADDRESS_HOUR: '18',
  PASSWORDS_PER_ADDRESS_HOUR: '14',
}

describe('R57, R59, R60: a number and an e-mail with an account are answered as any others are', () => {
  const asked = Object.entries(ACCOUNTS).flatMap(([account, make], at) =>
    Object.entries(FLOWS)
      // Only these look at what an account is like.
      .filter(([name]) => at === 0 || /^(?:login from|password.*codes)/.test(name))
      .map(([name, flow]) => ({ account, make, name, flow })),
  )

  test.each(asked)('$name, for an account $account', async ({ make, flow }) => {
    const dataDir = makeTempDir()
    const server = await startServer({ dataDir, settings: { ...PLAIN, ...SMALL } })
    await make(server)
    await compare(server, flow, join(dataDir, 'test.db'))
  })

  test.each(['unavailable', 'bad_number', 'throttled', 'blocked', 'unknown'] as const)(
    'password/reset/request while the provider answers %s',
    async (answer) => {
      const dataDir = makeTempDir()
      const provider = makeScriptedProvider()
      const server = await startServer({ dataDir, settings: PLAIN, overrides: { providers: [provider] } })
      const { verification } = await server.countersign.auth.otp.request(KNOWN, {
        address: '192.0.2.9',
        agent: '',
      })
      await server.countersign.auth.otp.verify(KNOWN, server.countersign.verify.codeOf(verification), {
        address: '192.0.2.9',
        agent: '',
      })
      server.clock.advance(3 * DAY)
      provider.answer(answer)
      await compare(server, FLOWS['password/reset/request'] as Flow, undefined)
      expect(provider.messages.some(({ to }) => to === UNKNOWN)).toBe(false)
      expect(provider.messages.filter(({ to }) => to === KNOWN).length).toBeGreaterThan(1)
    },
  )

  test('a code to reset a password goes to the account alone, whose own it opens', async () => {
    const server = await startServer({ settings: PLAIN })
    await register(server, KNOWN)
    server.clock.advance(60)
    server.inbox.clear()
    for (const phone of [KNOWN, UNKNOWN]) await ask(server, 'auth/password/reset/request', { phone })
    await settled()
    expect(server.inbox.list().map(({ to }) => to)).toEqual([KNOWN])
    const { verification } = await server.countersign.verify
      .start({ to: UNKNOWN, purpose: 'reset' }, { service: 'auth', publishable: true })
      .catch(() => ({ verification: undefined }))
    expect(verification).toBeUndefined()
    const code = codeTo(server, KNOWN)
    expect((await ask(server, 'auth/password/reset/verify', { phone: UNKNOWN, code })).status).toBe(400)
    expect(
      (await ask(server, 'auth/password/reset/verify', { phone: KNOWN, code: wrong(code) })).status,
    ).toBe(400)
    expect((await ask(server, 'auth/password/reset/verify', { phone: KNOWN, code })).status).toBe(200)
  })
})

/** Asks for both the same at the same moments, up to every limit and past it, and expects no difference. */
async function compare(server: TestServer, flow: Flow, database: string | undefined): Promise<void> {
  const known: Person = { phone: KNOWN, email: KNOWN_EMAIL, address: '198.51.100.1', state: new Map() }
  const unknown: Person = { phone: UNKNOWN, email: UNKNOWN_EMAIL, address: '198.51.101.1', state: new Map() }
  const before = database === undefined ? undefined : sqliteRowsOf(database, KNOWN)
  const statuses = new Set<number>()
  for (const [n, pause] of PAUSES.entries()) {
    server.clock.advance(pause)
    const ofKnown = shapeOf(await flow(server, known, n))
    await settled()
    const ofUnknown = shapeOf(await flow(server, unknown, n))
    await settled()
    expect({ n, ...ofUnknown }).toEqual({ n, ...ofKnown })
    statuses.add(ofKnown.status)
    if (database === undefined || before === undefined) continue
    const rows = sqliteRowsOf(database, KNOWN)
    expect({ n, ...sqliteRowsOf(database, UNKNOWN) }).toEqual({
      n,
      verifications: rows.verifications - before.verifications,
      sends: rows.sends - before.sends,
    })
  }
  expect(statuses).toContain(429)
  expect([...statuses].filter((status) => status >= 500)).toEqual([])
}
