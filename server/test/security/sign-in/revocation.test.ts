import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { endProcesses, numberOf } from '../../helpers/process.ts'
import { FACTOR_COLUMNS, FACTOR_REVOCATIONS, REVOCATIONS, SESSION_COLUMNS } from '../revocation-table.ts'
import {
  type AnyServer,
  callAs,
  callAsAdmin,
  eventsOf,
  expectOver,
  type Holder,
  holderOf,
  login,
  partsOf,
  refresh,
  refreshed,
  register,
  ROOMY,
  signIn,
  statusOf,
} from './holders.ts'
import { BOTH_KEYS, careful, EVENTS, FACTOR_EVENTS, NEXT_KEY, usual } from './revocation-events.ts'
import { outcomeOf } from './revocation-outcome.ts'
import { NEW_PASSWORD, OWN, PASSWORD, THEIRS, World } from './revocation-world.ts'

const PAGE = join(import.meta.dirname, '../../../../docs/sessions.md')

afterAll(endProcesses)

describe('R71: what ends when', () => {
  const all = [...REVOCATIONS, ...FACTOR_REVOCATIONS]

  test('every event of the table has its test, and the page has the same tables', () => {
    expect([...Object.keys(EVENTS), ...Object.keys(FACTOR_EVENTS)]).toEqual(all.map(({ event }) => event))
    const lines = readFileSync(PAGE, 'utf8').split('\n')
    for (const columns of [SESSION_COLUMNS, FACTOR_COLUMNS]) {
      const at = lines.indexOf(`| ${columns.map(([, title]) => title).join(' | ')} |`)
      expect(at).toBeGreaterThan(0)
      expect(lines.slice(at + 2, at + 2 + all.length)).toEqual(
        all.map((row) => `| ${columns.map(([name]) => row[name]).join(' | ')} |`),
      )
      expect(lines[at + 2 + all.length]).toBe('')
    }
  })

  for (const row of REVOCATIONS) {
    const { event } = row
    test(event, async () => {
      const sessions = Object.fromEntries(SESSION_COLUMNS.map(([name]) => [name, row[name]]))
      const world = await EVENTS[event]?.(() => new World())
      expect(world && (await outcomeOf(event, world))).toEqual(sessions)
    })

    test(`${event}, with second factors`, async () => {
      const world = await EVENTS[event]?.(() => new World(['sms', 'app']))
      expect(world && (await outcomeOf(event, world))).toEqual(row)
    })
  }

  for (const row of FACTOR_REVOCATIONS)
    test(row.event, async () => {
      const world = await FACTOR_EVENTS[row.event]?.()
      expect(world && (await outcomeOf(row.event, world))).toEqual(row)
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

  test('proving one’s own number again ends the other sessions and the devices, and nothing that is pending', async () => {
    const world = await careful()
    const { mine, other, server, challenges } = world
    await world.changePhone(mine, OWN)
    expect(await statusOf(server, mine)).toBe(200)
    await expectOver(server, other)
    for (const { device } of [mine, other])
      expect((await world.tryPassword(device)).body['status']).toBe('second_factor_required')
    for (const challenge of [challenges.pwd, challenges.sms])
      expect((await world.pass(challenge, world.nextBackupCode())).userId).toBe(mine.userId)
    expect(await world.tryCode()).toBe(mine.userId)
    expect(await world.tryReset(world.resets[0])).toBe(200)
  })

  test('a sign-out by a refresh token, of whatever age, ends its session alone', async () => {
    const world = await usual()
    const newest = await refreshed(world.server, world.mine.refresh)
    await world.call('POST', '/api/auth/logout', { refresh_token: world.mine.refresh })
    await expectOver(world.server, newest)
    expect(await statusOf(world.server, world.other)).toBe(200)
  })

  test('the first second factor ends the other sessions; what was pending wants it then', async () => {
    const world = await usual()
    await world.turnOn('app', world.mine)
    expect(await statusOf(world.server, world.mine)).toBe(200)
    await expectOver(world.server, world.other)
    expect((await world.tryPassword()).body['status']).toBe('second_factor_required')
    expect(await world.tryCode()).toBe(world.mine.userId)
    expect(await world.tryReset(world.resets[0])).toBe(200)
    const body = { identifier: OWN, password: NEW_PASSWORD }
    const entered = await callAs(world.server, 'POST', '/api/auth/login', { body })
    expect(entered.body).toMatchObject({ status: 'second_factor_required' })
  })

  test('a challenge to show a second factor again ends with its session', async () => {
    const world = await careful()
    const begin = async (by: Holder) =>
      (await world.call('POST', '/api/auth/2fa/challenge', {}, by))['challenge_token'] ?? ''
    const [mine, other] = [await begin(world.mine), await begin(world.other)]
    await world.call('POST', '/api/auth/logout', undefined, world.mine)
    const shown = world.nextCode()
    const { status, body } = await world.tryFactor(mine, shown)
    expect([status, body['code']]).toEqual([401, 'challenge_ended'])
    // The code was not used up by it.
    expect(await statusOf(world.server, await world.pass(other, shown))).toBe(200)
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

describe('R70: what a second factor opens is a session like any other', () => {
  /** Every way in that an account with second factors has. */
  const waysOf = (world: World): Readonly<Record<string, () => Promise<Holder>>> => ({
    app: () => world.enter(),
    text: async () => {
      world.wait()
      const challenge_token = await world.challenge()
      const { preview_code } = await world.call('POST', '/api/auth/2fa/send', { challenge_token })
      return world.pass(challenge_token, { factor: 'sms', code: preview_code ?? '' })
    },
    'backup code': async () => world.pass(await world.challenge(), world.nextBackupCode()),
    'code to the number, and app': async () => {
      await world.requestCode()
      return world.pass(await world.challengeByCode(), world.nextCode())
    },
    device: async () => {
      const { body } = await world.tryPassword(world.other.device)
      world.other = holderOf(body)
      return world.other
    },
    'shown again': async () => world.stepUp(await world.enter(), world.nextCode()),
  })

  test('A17: it is listed, its refresh tokens work once, and one that is used again ends it', async () => {
    const world = await careful()
    const { server } = world
    for (const [name, enter] of Object.entries(waysOf(world))) {
      const first = await enter()
      const second = await refreshed(server, first.refresh)
      expect([name, second.sessionId]).toEqual([name, first.sessionId])
      const { data } = (await world.call('GET', '/api/auth/sessions', undefined, second)) as unknown as {
        data: { id: string; current: boolean }[]
      }
      expect([name, data.filter(({ current }) => current)]).toMatchObject([name, [{ id: second.sessionId }]])
      const third = await refreshed(server, second.refresh)
      expect([name, await statusOf(server, third)]).toEqual([name, 200])
      expect([name, (await refresh(server, first.refresh)).status]).toEqual([name, 401])
      for (const dead of [first, second, third]) await expectOver(server, dead)
      const told = await eventsOf(server, first.userId, 'session.reused')
      expect(told.map(({ session_id }) => session_id)).toContain(first.sessionId)
    }
  })

  test('a sign-out everywhere ends those of every way, and so does an administrator', async () => {
    const world = await careful()
    const { server } = world
    const ends = [
      (by: Holder) => world.call('POST', '/api/auth/logout-all', undefined, by),
      ({ userId }: Holder) => callAsAdmin(server, 'POST', `/admin/users/${userId}/end-sessions`),
    ]
    for (const end of ends) {
      const holders: [string, Holder][] = []
      for (const [name, enter] of Object.entries(waysOf(world)))
        holders.push([name, await refreshed(server, (await enter()).refresh)])
      for (const [name, holder] of holders)
        expect([name, await statusOf(server, holder)]).toEqual([name, 200])
      const [by] = holders.map(([, holder]) => holder)
      await end(by as Holder)
      for (const [, dead] of holders) await expectOver(server, dead)
    }
  })
})

describe('R72: a session begins anew with every sign-in', () => {
  /** Signs in with all that a browser may bring along of another session. */
  const enter = async <T>(world: World, last: Holder, path: string, body: object): Promise<T> => {
    const headers = {
      authorization: `Bearer ${last.access}`,
      cookie: `__Host-countersign_refresh=${last.refresh}; session=${last.sessionId}; sid=${last.sessionId}`,
      'x-session-id': last.sessionId,
    }
    const answer = await world.server.api<T>('POST', path, { key: 'none', body, headers })
    expect(answer.status, answer.text).toBe(200)
    return answer.body
  }

  test('whatever the client brings along of another one', async () => {
    const world = new World()
    await world.boot()
    const holders = [await register(world.server, OWN, PASSWORD)]
    for (let n = 0; n < 3; n++) {
      world.wait()
      const last = holders.at(-1) as Holder
      await enter(world, last, '/api/auth/otp/request', { phone: OWN })
      holders.push(
        holderOf(await enter(world, last, '/api/auth/verify-otp', { phone: OWN, otp: '123456' })),
        holderOf(await enter(world, last, '/api/auth/login', { identifier: OWN, password: PASSWORD })),
      )
    }
    expect(new Set(holders.map(({ sessionId }) => sessionId)).size).toBe(7)
    // The ones before go on: signing in on the phone does not sign out at the desk.
    for (const holder of holders) expect(await statusOf(world.server, holder)).toBe(200)
  })

  test('with a second factor, on a remembered device, and with a new start on a number', async () => {
    const world = await careful()
    const { mine: last, other, server } = world
    const login = { identifier: OWN, password: PASSWORD }
    type Asked = { challenge_token: string }
    const byPassword = await enter<Asked>(world, last, '/api/auth/login', login)
    const byCode = await enter<Asked>(world, last, '/api/auth/verify-otp', { phone: OWN, otp: '123456' })
    const holders = [last, other]
    for (const body of [
      { challenge_token: byPassword.challenge_token, ...world.nextCode() },
      { challenge_token: byCode.challenge_token, ...world.nextBackupCode() },
    ])
      holders.push(holderOf(await enter(world, last, '/api/auth/2fa/verify', body)))
    const known = { ...login, device_token: last.device }
    holders.push(holderOf(await enter(world, last, '/api/auth/login', known)))
    const start = { challenge_token: world.challenges.sms }
    holders.push(holderOf(await enter(world, last, '/api/auth/2fa/start-over', start)))
    expect(new Set(holders.map(({ sessionId }) => sessionId)).size).toBe(6)
    for (const holder of holders) expect(await statusOf(server, holder)).toBe(200)
  })

  test('with a second factor that is shown again: the session before has ended, and no other', async () => {
    const world = await careful()
    const { mine, other, server } = world
    const renewed = await world.stepUp(mine, world.nextCode())
    const again = await world.stepUp(renewed, world.nextCode())
    expect(new Set([mine, other, renewed, again].map(({ sessionId }) => sessionId)).size).toBe(4)
    for (const dead of [mine, renewed]) await expectOver(server, dead)
    for (const alive of [again, other]) expect(await statusOf(server, alive)).toBe(200)
    expect(partsOf(again.access).claims).toMatchObject({
      amr: ['pwd', 'otp', 'mfa'],
      auth_time: Math.floor(world.clock.now() / 1_000),
    })
  })
})

describe('second factors when SECRET_KEY is replaced', () => {
  test('an app and a device that were used meanwhile work on without the old key', async () => {
    const world = await usual(new World(['sms', 'app']).kept())
    await world.boot(BOTH_KEYS)
    await world.enter()
    const { body } = await world.tryPassword(world.other.device)
    await world.boot(NEXT_KEY)
    expect((await world.tryFactor(await world.challenge(), world.nextCode())).status).toBe(200)
    expect((await world.tryPassword(body['device_token'])).body['access_token']).toBeDefined()
  })

  test('an app that was not lets nobody in, and is set up anew with a backup code', async () => {
    const world = await usual(new World(['sms', 'app']).kept())
    await world.boot(NEXT_KEY)
    // The secret of the app cannot be read any more; something has to be shown all the same.
    for (const device of [undefined, world.mine.device, world.other.device])
      expect((await world.tryPassword(device)).body['status']).toBe('second_factor_required')
    const challenge = await world.challenge()
    for (const shown of [world.nextCode(), { factor: 'totp', code: '000000' }] as const) {
      const { status, body } = await world.tryFactor(challenge, shown)
      expect([status, body['code']]).toEqual([400, 'invalid_code'])
    }
    await world.turnOn('app', await world.pass(challenge, world.nextBackupCode()))
    expect((await world.tryFactor(await world.challenge(), world.nextCode())).status).toBe(200)
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

describeBackends([POSTGRES, ...inLongRuns(SQLITE, MONGODB)], 'R71: over three processes on', (backend) => {
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
