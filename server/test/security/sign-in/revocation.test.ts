import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { FakeClock } from '../../fake-clock.ts'
import { describeBackends, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { endProcesses, numberOf } from '../../helpers/process.ts'
import { makeTempDir, phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { type Revocation, REVOCATION_COLUMNS, REVOCATIONS } from '../revocation-table.ts'
import {
  type AnyServer,
  callAs,
  callAsAdmin,
  eventsOf,
  expectOver,
  type Holder,
  login,
  partsOf,
  refresh,
  refreshed,
  register,
  ROOMY,
  signIn,
  statusOf,
} from './holders.ts'

const PAGE = join(import.meta.dirname, '../../../../docs/sessions.md')
const SECRET = 'secret-of-the-revocation-tests-of-32-characters'
const NEXT_SECRET = 'the-next-secret-of-the-revocation-tests-of-32'
const ISSUER = 'http://localhost:8080'
const PASSWORD = 'a wombat eats 4 leeks'
const NEW_PASSWORD = 'the wombat is 5 and full'
const THIRD_PASSWORD = 'six wombats went to sea'
const DAY = 86_400
const SETTINGS = {
  ...ROOMY,
  SECRET_KEY: SECRET,
  SMS_RATE_LIMIT_PER_PHONE: '100',
  SMS_MAX_PER_PHONE_DAY: '100',
  SESSION_DAYS: '2',
  SESSION_IDLE_DAYS: '1',
}

afterAll(endProcesses)

/** The number of the account at the time of the event, a number that it had or gets, and somebody else's. */
const [OWN, ELSE, THEIRS] = [phoneOf(0), phoneOf(1), phoneOf(2)]

/** Somebody with two sessions, tokens that set a password, and a code on its way. */
class World {
  readonly #dataDir = makeTempDir()
  readonly clock = new FakeClock()
  server!: TestServer
  mine!: Holder
  other!: Holder
  /** Two of them: of a reset the second is the one that is used. */
  resets: string[] = []
  /** The published keys as another server has kept them from before. */
  keptKeys!: JSONWebKeySet

  async boot(settings: Record<string, string> = {}): Promise<void> {
    await (this.server as TestServer | undefined)?.close()
    const { clock } = this
    this.server = await startServer({
      dataDir: this.#dataDir,
      overrides: { clock },
      settings: { ...SETTINGS, ...settings },
    })
  }

  /** As `callAs`, and expects it to work. */
  async call(method: string, path: string, body?: object, by?: Holder): Promise<Record<string, string>> {
    const call = { ...(by ? { token: by.access } : {}), ...(body ? { body } : {}) }
    const answer = await callAs(this.server, method, path, call)
    expect([method, path, answer.status < 300, answer.text]).toEqual([method, path, true, answer.text])
    return answer.body as Record<string, string>
  }

  /** Lets the wait between two messages to one number go by. */
  wait(): void {
    this.clock.advance(40)
  }

  /** What a second browser, a thief and a slow reader hold when it happens: tokens and a code, none of them used. */
  async leavePending(phone = OWN): Promise<void> {
    this.resets = []
    for (let n = 0; n < 2; n++) {
      this.wait()
      const { preview_code: code } = await this.call('POST', '/api/auth/password/reset/request', { phone })
      const { reset_token: token = '' } = await this.call('POST', '/api/auth/password/reset/verify', {
        phone,
        code,
      })
      this.resets.push(token)
    }
    this.wait()
    await this.call('POST', '/api/auth/otp/request', { phone })
    this.keptKeys = await this.publishedKeys()
  }

  async publishedKeys(): Promise<JSONWebKeySet> {
    return (await this.call('GET', '/.well-known/jwks.json')) as unknown as JSONWebKeySet
  }

  /** Changes the number of who is signed in. */
  async changePhone(by: Holder, phone: string): Promise<void> {
    this.wait()
    const { verification_id, preview_code: code } = await this.call('POST', '/api/auth/phone', { phone }, by)
    await this.call('POST', '/api/auth/phone/verify', { verification_id, code }, by)
  }

  /** Tries a token that sets a password. */
  async tryReset(token: string | undefined): Promise<number> {
    const body = { reset_token: token, password: NEW_PASSWORD }
    return (await callAs(this.server, 'POST', '/api/auth/password/reset', { body })).status
  }

  /** Tries the code that is on its way: whom it signs in, or the status of a refusal. */
  async tryCode(phone = OWN): Promise<string | number> {
    const body = { phone, otp: '123456' }
    const answer = await callAs(this.server, 'POST', '/api/auth/verify-otp', { body })
    return answer.status === 200 ? (answer.body as { user: { id: string } }).user.id : answer.status
  }

  /** Whether a server that has these keys, and asks nobody, believes a token. */
  async isBelieved({ access }: Holder, keys: JSONWebKeySet): Promise<boolean> {
    try {
      const currentDate = new Date(this.clock.now())
      await jwtVerify(access, createLocalJWKSet(keys), { issuer: ISSUER, currentDate })
      return true
    } catch {
      return false
    }
  }

  /** The code of the only message to this number, once it is there: some answers wait for no message. */
  async nextCode(phone: string): Promise<string> {
    const codeOf = () => /\d{6}/.exec(this.server.inbox.list({ to: phone })[0]?.body ?? '')?.[0]
    await expect.poll(codeOf).toBeDefined()
    return codeOf() ?? ''
  }
}

/** Somebody with a password and two sessions who leaves everything pending; `mine` is the younger. */
async function usual(): Promise<World> {
  const world = new World()
  await world.boot()
  world.other = await register(world.server, OWN, PASSWORD)
  await world.leavePending()
  world.wait()
  world.mine = await login(world.server, OWN, PASSWORD)
  return world
}

/** How each event of the table comes about. */
const EVENTS: Readonly<Record<string, () => Promise<World>>> = {
  logout: async () => {
    const world = await usual()
    await world.call('POST', '/api/auth/logout', undefined, world.mine)
    return world
  },
  'logout-all': async () => {
    const world = await usual()
    await world.call('POST', '/api/auth/logout-all', undefined, world.mine)
    return world
  },
  'session revoked': async () => {
    const world = await usual()
    await world.call('DELETE', `/api/auth/sessions/${world.mine.sessionId}`, undefined, world.other)
    return world
  },
  'refresh token reused': async () => {
    const world = await usual()
    const { refresh: used } = world.mine
    world.mine = await refreshed(world.server, used)
    world.clock.advance(10)
    expect((await refresh(world.server, used)).status).toBe(401)
    return world
  },
  'password change': async () => {
    const world = await usual()
    const body = { current_password: PASSWORD, password: THIRD_PASSWORD }
    await world.call('POST', '/api/auth/password/change', body, world.mine)
    return world
  },
  'password reset': async () => {
    const world = await usual()
    const used = world.resets.pop()
    await world.call('POST', '/api/auth/password/reset', { reset_token: used, password: THIRD_PASSWORD })
    // The one that was used is used up.
    expect(await world.tryReset(used)).toBe(400)
    return world
  },
  'phone change': async () => {
    const world = await usual()
    await world.changePhone(world.mine, ELSE)
    return world
  },
  'phone undo': async () => {
    const world = new World()
    await world.boot()
    await world.changePhone(await register(world.server, ELSE, PASSWORD), OWN)
    world.other = await login(world.server, OWN, PASSWORD)
    await world.leavePending()
    world.mine = await login(world.server, OWN, PASSWORD)
    world.wait()
    world.server.inbox.clear()
    await world.call('POST', '/api/auth/phone/undo/request', { phone: ELSE })
    const code = await world.nextCode(ELSE)
    await world.call('POST', '/api/auth/phone/undo', { phone: ELSE, code })
    return world
  },
  'number detached': async () => {
    const world = await usual()
    await world.changePhone(await signIn(world.server, THEIRS), OWN)
    return world
  },
  'account disabled': async () => {
    const world = await usual()
    await callAsAdmin(world.server, 'POST', `/admin/users/${world.mine.userId}/disable`)
    return world
  },
  'account deleted': async () => {
    const world = await usual()
    const { status } = await callAsAdmin(world.server, 'DELETE', `/admin/users/${world.mine.userId}`)
    expect(status).toBe(204)
    return world
  },
  'idle for too long': async () => {
    const world = new World()
    await world.boot({ ACCESS_TOKEN_EXPIRE_MINUTES: '1440' })
    world.mine = await register(world.server, OWN, PASSWORD)
    world.clock.advance(DAY - 300)
    world.other = await login(world.server, OWN, PASSWORD)
    await world.leavePending()
    world.clock.advance(180)
    return world
  },
  'end of its whole life': async () => {
    const world = new World()
    await world.boot()
    const first = await register(world.server, OWN, PASSWORD)
    world.clock.advance(DAY * 0.9)
    const second = await refreshed(world.server, first.refresh)
    world.clock.advance(DAY * 0.9)
    const third = await refreshed(world.server, second.refresh)
    world.clock.advance(DAY * 0.2 - 300)
    world.other = await login(world.server, OWN, PASSWORD)
    await world.leavePending()
    world.mine = await refreshed(world.server, third.refresh)
    world.clock.advance(180)
    return world
  },
  'key replaced, the old one listed': async () => {
    const world = await usual()
    await world.boot({ SECRET_KEY: NEXT_SECRET, SECRET_KEYS_PREVIOUS: SECRET })
    return world
  },
  'old key taken out': async () => {
    const world = await usual()
    await world.boot({ SECRET_KEY: NEXT_SECRET, SECRET_KEYS_PREVIOUS: SECRET })
    // What is of the new key lives on.
    const renewed = await signIn(world.server, THEIRS)
    world.wait()
    await world.call('POST', '/api/auth/otp/request', { phone: THEIRS })
    await world.boot({ SECRET_KEY: NEXT_SECRET })
    expect(await statusOf(world.server, renewed)).toBe(200)
    expect((await refresh(world.server, renewed.refresh)).status).toBe(200)
    expect(await world.tryCode(THEIRS)).toBe(renewed.userId)
    return world
  },
}

/** What is found after an event, in the words of the table. */
async function outcomeOf(row: Revocation, world: World): Promise<Revocation> {
  const { server, mine, other } = world
  const access = { mine: await statusOf(server, mine), other: await statusOf(server, other) }
  const published = await world.publishedKeys()
  const offline = {
    kept: await Promise.all([mine, other].map((one) => world.isBelieved(one, world.keptKeys))),
    anew: await Promise.all([mine, other].map((one) => world.isBelieved(one, published))),
    wanted: [mine, other].map(({ access: token }) => isYoung(token, world.clock)),
  }
  const keyIsGone = row.event === 'old key taken out'
  const refreshes = {
    mine: (await refresh(server, mine.refresh)).status,
    other: (await refresh(server, other.refresh)).status,
  }
  return {
    event: row.event,
    thisRefresh: refreshes.mine === 200 ? 'stays' : keyIsGone ? 'ends if it is of that key' : 'ends',
    otherRefresh: refreshes.other === 200 ? 'stay' : keyIsGone ? 'end if of that key' : 'end',
    ownAccess: accessWord(access, keyIsGone),
    offlineAccess: offlineWord(offline),
    codes: await codesWord(row, world),
    resetTokens: await resetsWord(row, world),
  }
}

function accessWord(
  { mine, other }: { mine: number; other: number },
  keyIsGone: boolean,
): Revocation['ownAccess'] {
  if (mine === 200) return other === 200 ? 'stay' : "the others' end"
  if (other === 200) return "this session's end"
  return keyIsGone ? 'end if of that key' : 'all end'
}

function offlineWord(found: {
  kept: boolean[]
  anew: boolean[]
  wanted: boolean[]
}): Revocation['offlineAccess'] {
  expect(found.kept).toEqual(found.wanted)
  if (found.anew.every((one, at) => one === found.wanted[at])) return 'until exp'
  expect(found.anew).toEqual([false, false])
  return 'end when the keys are fetched anew'
}

async function codesWord({ event }: Revocation, world: World): Promise<Revocation['codes']> {
  const found = await world.tryCode()
  const { userId } = world.mine
  if (found === userId) return 'stay'
  if (typeof found === 'string') return 'stay with their number'
  if (event === 'old key taken out') return 'end if of that key'
  expect(found).toBe(403)
  return 'refused while it is'
}

async function resetsWord({ event }: Revocation, world: World): Promise<Revocation['resetTokens']> {
  const [first] = world.resets
  if (event === 'account disabled') {
    // Of two, the one that was not tried is good again.
    expect(await world.tryReset(first)).toBe(400)
    await callAsAdmin(world.server, 'POST', `/admin/users/${world.mine.userId}/enable`)
    expect(await world.tryReset(first)).toBe(400)
    expect(await world.tryReset(world.resets[1])).toBe(200)
    return 'refused while it is'
  }
  return (await world.tryReset(first)) === 200 ? 'stay' : 'end'
}

function isYoung(token: string, clock: FakeClock): boolean {
  return Number(partsOf(token).claims['exp']) > clock.now() / 1000
}

describe('R71: what ends when', () => {
  test('every event of the table has its test, and the page has the same table', () => {
    expect(Object.keys(EVENTS)).toEqual(REVOCATIONS.map(({ event }) => event))
    const lines = readFileSync(PAGE, 'utf8').split('\n')
    const head = `| ${REVOCATION_COLUMNS.map(([, title]) => title).join(' | ')} |`
    const at = lines.indexOf(head)
    expect(at).toBeGreaterThan(0)
    const rows = lines.slice(at + 2, at + 2 + REVOCATIONS.length)
    expect(rows).toEqual(
      REVOCATIONS.map((row) => `| ${REVOCATION_COLUMNS.map(([name]) => row[name]).join(' | ')} |`),
    )
    expect(lines[at + 2 + REVOCATIONS.length]).toBe('')
  })

  for (const row of REVOCATIONS)
    test(row.event, async () => {
      const world = await EVENTS[row.event]?.()
      if (!world) throw new Error('nobody knows how this comes about')
      expect(await outcomeOf(row, world)).toEqual(row)
    })

  test('a code for an account that was shut is good again once it is open, unless it was tried', async () => {
    const world = await usual()
    const { userId } = world.mine
    await callAsAdmin(world.server, 'POST', `/admin/users/${userId}/disable`)
    await callAsAdmin(world.server, 'POST', `/admin/users/${userId}/enable`)
    // What has ended does not come back with the account.
    for (const dead of [world.mine, world.other]) await expectOver(world.server, dead)
    expect(await world.tryCode()).toBe(userId)
    expect(await world.tryCode()).toBe(400)
  })

  test('proving one’s own number again ends the other sessions, and no token or code', async () => {
    const world = await usual()
    await world.changePhone(world.mine, OWN)
    expect(await statusOf(world.server, world.mine)).toBe(200)
    await expectOver(world.server, world.other)
    expect(await world.tryCode()).toBe(world.mine.userId)
    expect(await world.tryReset(world.resets[0])).toBe(200)
  })

  test('a sign-out by a refresh token, of whatever age, ends its session alone', async () => {
    const world = await usual()
    const newest = await refreshed(world.server, world.mine.refresh)
    await world.call('POST', '/api/auth/logout', { refresh_token: world.mine.refresh })
    await expectOver(world.server, newest)
    expect(await statusOf(world.server, world.other)).toBe(200)
  })

  test('nobody ends a session of somebody else, nor learns that there is one', async () => {
    const world = await usual()
    const stranger = await signIn(world.server, THEIRS)
    const path = (id: string) => `/api/auth/sessions/${id}`
    for (const id of [world.mine.sessionId, `ses_${'0'.repeat(44)}`, 'ses_', 'x', stranger.userId]) {
      const answer = await callAs(world.server, 'DELETE', path(id), { token: stranger.access })
      expect([answer.status, (answer.body as { detail: string }).detail]).toEqual([
        404,
        'There is no such session',
      ])
    }
    expect(await statusOf(world.server, world.mine)).toBe(200)
  })
})

describe('R72: a session begins anew with every sign-in', () => {
  test('whatever the client brings along of another one', async () => {
    const world = new World()
    await world.boot()
    const holders = [await register(world.server, OWN, PASSWORD)]
    for (let n = 0; n < 3; n++) {
      world.wait()
      const [last] = holders.slice(-1)
      const headers = {
        authorization: `Bearer ${last?.access}`,
        cookie: `__Host-countersign_refresh=${last?.refresh}; session=${last?.sessionId}; sid=${last?.sessionId}`,
        'x-session-id': last?.sessionId ?? '',
      }
      const enter = (path: string, body: object) =>
        world.server.api<{ access_token: string }>('POST', path, { key: 'none', body, headers })
      await enter('/api/auth/otp/request', { phone: OWN })
      for (const answer of [
        await enter('/api/auth/verify-otp', { phone: OWN, otp: '123456' }),
        await enter('/api/auth/login', { identifier: OWN, password: PASSWORD }),
      ]) {
        expect(answer.status, answer.text).toBe(200)
        const access = answer.body.access_token
        const sessionId = String(partsOf(access).claims['sid'])
        holders.push({ ...(last as Holder), access, sessionId })
      }
    }
    expect(new Set(holders.map(({ sessionId }) => sessionId)).size).toBe(7)
    // The ones before go on: signing in on the phone does not sign out at the desk.
    for (const holder of holders) expect(await statusOf(world.server, holder)).toBe(200)
  })
})

describe('R82: a password that is reset by phone', () => {
  test('opens no session, ends all, is told to the owner and in the log, and lets in with the new one alone', async () => {
    const world = await usual()
    const { server, mine, other } = world
    const body = { reset_token: world.resets[0], password: NEW_PASSWORD }
    const answer = await server.api('POST', '/api/auth/password/reset', {
      key: 'none',
      body,
      headers: { 'x-session-mode': 'cookie' },
    })
    expect([answer.status, answer.body]).toEqual([200, { status: 'ok' }])
    expect(answer.headers['set-cookie']).toBeUndefined()
    for (const dead of [mine, other]) await expectOver(server, dead)
    await expect.poll(() => server.inbox.list({ to: OWN })[0]?.body).toMatch(/password/i)
    expect(await eventsOf(server, mine.userId, 'password.reset')).toMatchObject([{ actor: 'user' }])
    const old = { identifier: OWN, password: PASSWORD }
    expect((await callAs(server, 'POST', '/api/auth/login', { body: old })).status).toBe(401)
    const entered = await login(server, OWN, NEW_PASSWORD)
    expect(entered.userId).toBe(mine.userId)
  })

  test('of 20 who use one token at once, one sets a password', async () => {
    const { server, resets } = await usual()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const body = { reset_token: resets[0], password: `${NEW_PASSWORD} ${n}` }
        return callAs(server, 'POST', '/api/auth/password/reset', { body })
      }),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
  })
})

describe('R84: nobody writes what is not theirs to say', () => {
  const FORBIDDEN = {
    id: 'usr_1',
    sub: 'usr_1',
    user_id: 'usr_1',
    role: 'admin',
    is_admin: true,
    status: 'active',
    phone_verified: true,
    phone_verified_at: '2026-01-01T00:00:00Z',
    verified_at: '2026-01-01T00:00:00Z',
    attempts: 0,
    amr: ['pwd', 'sms'],
    auth_time: 9_999_999_999,
    two_factor_enabled: false,
    passwordHash: 'x',
    password_hash: 'x',
    created_at: '2020-01-01T00:00:00Z',
    generation: 0,
    __proto__x: {},
    constructor: {},
  }

  test('in any body: 400, and nothing has changed', async () => {
    const world = await usual()
    const { server, mine } = world
    const before = await world.call('GET', '/api/auth/me', undefined, mine)
    const bodies: [string, string, object][] = [
      ['PATCH', '/api/auth/me', { name: 'Ada' }],
      ['POST', '/api/auth/refresh', { refresh_token: mine.refresh }],
      ['POST', '/api/auth/logout', { refresh_token: mine.refresh }],
      ['POST', '/api/auth/login', { identifier: OWN, password: PASSWORD }],
      ['POST', '/api/auth/verify-otp', { phone: OWN, otp: '123456' }],
      ['POST', '/api/auth/otp/request', { phone: THEIRS }],
      ['POST', '/api/auth/register', { phone: THEIRS, password: PASSWORD }],
      ['POST', '/api/auth/phone', { phone: THEIRS }],
      ['POST', '/api/auth/password/reset', { reset_token: world.resets[0], password: NEW_PASSWORD }],
      ['POST', '/api/auth/password/change', { current_password: PASSWORD, password: NEW_PASSWORD }],
    ]
    for (const [method, path, body] of bodies)
      for (const [name, value] of Object.entries(FORBIDDEN)) {
        const call = { token: mine.access, body: { ...body, [name]: value } }
        const { status } = await callAs(server, method, path, call)
        expect([method, path, name, status]).toEqual([method, path, name, 400])
      }
    expect(await world.call('GET', '/api/auth/me', undefined, mine)).toEqual(before)
    expect(await statusOf(server, mine)).toBe(200)
    expect(await world.tryCode()).toBe(mine.userId)
  })
})

describeBackends([SQLITE, POSTGRES, MONGODB], 'R71: over three processes on', (backend) => {
  const fleet = Fleet.forTests(backend, { settings: ROOMY })
  const admin = (server: AnyServer, method: string, path: string) => callAsAdmin(server, method, path)
  const ways: Record<string, (server: AnyServer, holder: Holder) => Promise<{ status: number }>> = {
    'sign-out': (server, { access }) => callAs(server, 'POST', '/api/auth/logout', { token: access }),
    'sign-out everywhere': (server, { access }) =>
      callAs(server, 'POST', '/api/auth/logout-all', { token: access }),
    'a session that is taken off the list': (server, { access, sessionId }) =>
      callAs(server, 'DELETE', `/api/auth/sessions/${sessionId}`, { token: access }),
    'an administrator who ends sessions': (server, { userId }) =>
      admin(server, 'POST', `/admin/users/${userId}/end-sessions`),
    'an administrator who shuts the account': (server, { userId }) =>
      admin(server, 'POST', `/admin/users/${userId}/disable`),
    'an administrator who deletes the account': (server, { userId }) =>
      admin(server, 'DELETE', `/admin/users/${userId}`),
  }

  test('an end on one process holds on all at once, also while the session is refreshed', async () => {
    let next = 0
    for (const [name, end] of Object.entries(ways)) {
      const first = await signIn(fleet().server(next), numberOf(next))
      let newest = first
      let endedAt = Infinity
      const late: string[] = []
      // One alone: two that share a token end the session themselves when one is two steps ahead.
      const chains = [0].map(async (lane) => {
        let held = first
        for (let n = 0; n < 1_000; n++) {
          const from = performance.now()
          const { holder } = await refresh(fleet().server(lane + n), held.refresh)
          if (!holder) return
          if (from > endedAt) late.push(name)
          held = holder
          newest = holder
        }
        throw new Error(`${name} never came`)
      })
      const { status } = await end(fleet().server(next + 1), first)
      endedAt = performance.now()
      expect([name, status < 300]).toEqual([name, true])
      await Promise.all(chains)
      expect(late).toEqual([])
      for (const server of fleet().servers)
        for (const dead of [first, newest]) expect([name, await statusOf(server, dead)]).toEqual([name, 401])
      next += 1
    }
  })
})
