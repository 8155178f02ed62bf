import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { describeBackends, inLongRuns, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { type Answer, endProcesses, numberOf, ServerProcess } from '../../helpers/process.ts'
import { PASSWORD, PLAIN, type Tokens } from './people.ts'

const SOURCE = join(import.meta.dirname, '../../../src')
const SETTINGS = {
  ...PLAIN,
  DEV_MODE: 'true',
  RESEND_COOLDOWN_SECONDS: '1',
  PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1000',
  PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000',
}

// Each starts several processes.
vi.setConfig({ testTimeout: 90_000 })
afterAll(endProcesses)

/** Kills the process with -9 at the moment that one of these methods has done all it does, and has not been answered. */
function killAfter(...methods: readonly (readonly [file: string, type: string, method: string])[]): string {
  return methods
    .map(
      ([file, type, method]) => `{
        const { ${type} } = require(${JSON.stringify(join(SOURCE, file))})
        const original = ${type}.prototype.${method}
        ${type}.prototype.${method} = async function (...args) {
          const result = await original.apply(this, args)
          if (result?.valid !== false) process.kill(process.pid, 'SIGKILL')
          return new Promise(() => {})
        }
      }`,
    )
    .join('\n')
}

/** After the code was judged right, and before anything else. */
const JUDGED = killAfter(
  ['verify/checks.ts', 'Checks', 'check'],
  ['verify/checks.ts', 'Checks', 'checkByNumber'],
)
/** After everything was committed, and before the answer. */
const DONE = killAfter(
  ['auth/otp-login.ts', 'OtpLogin', 'verify'],
  ['auth/registration.ts', 'Registration', 'verify'],
  ['auth/password-reset.ts', 'PasswordReset', 'verify'],
  ['auth/password-reset.ts', 'PasswordReset', 'set'],
  ['auth/phone-change.ts', 'PhoneChange', 'verify'],
)

type Said = {
  readonly status: number
  readonly text: string
  readonly json: Partial<Tokens> & Readonly<Record<string, string>>
}

async function call(server: ServerProcess, path: string, body: object, token = 'none'): Promise<Said> {
  const answer: Answer = await server.call('POST', `/api/auth/${path}`, { key: token, body })
  return { ...answer, json: JSON.parse(answer.text) as Said['json'] }
}

/** The request whose answer is lost: its server is dead when this resolves. */
async function lose(server: ServerProcess, path: string, body: object, token?: string): Promise<void> {
  const answer = await call(server, path, body, token).catch(() => undefined)
  expect(answer).toBeUndefined()
  expect((await server.exited).signal).toBe('SIGKILL')
}

describeBackends(
  [SQLITE, ...inLongRuns(POSTGRES)],
  'F19: killed with -9 before its answer, on',
  (backend) => {
    const fleet = Fleet.forTests(backend, { settings: SETTINGS })
    let next = 0

    const doomed = (breakage: string) => {
      const { data } = fleet()
      const clockSeconds = data.age ? 0 : (fleet().now() - Date.now()) / 1_000
      return ServerProcess.start({ settings: { ...data.settings, ...SETTINGS }, breakage, clockSeconds })
    }
    const healthy = () => fleet().server(next)

    /** Signs in by a new code. */
    const signIn = async (phone: string): Promise<Said> => {
      await fleet().pass(60)
      const asked = await call(healthy(), 'otp/request', { phone })
      expect(asked.status, asked.text).toBe(200)
      const entered = await call(healthy(), 'verify-otp', { phone, otp: asked.json['preview_code'] })
      expect(entered.status, entered.text).toBe(200)
      return entered
    }
    /** What there is of a number: its users, how often each was made, and their sessions. */
    const stateOf = (phone: string) =>
      fleet().withStorage(async ({ store: { auth } }) => {
        const { data: users } = await auth.users({ limit: 10, phone })
        return Promise.all(
          users.map(async ({ id }) => ({
            id,
            created: (await auth.events({ limit: 100, userId: id, type: 'user.created' })).data.length,
            started: (await auth.events({ limit: 100, userId: id, type: 'session.started' })).data.length,
            sessions: (await auth.sessionsOf(id)).length,
          })),
        )
      })
    /** How many users there are of all. */
    const usersOfAll = () =>
      fleet().withStorage(async ({ store }) => (await store.auth.users({ limit: 100 })).data.length)

    test.each([
      ['everything was committed', DONE, true],
      ['the code was judged', JUDGED, false],
    ])(
      'verify-otp, after %s: the person asks again and comes into the one account',
      async (_when, breakage, isEntered) => {
        const [known, unknown] = [numberOf(next++), numberOf(next++)]
        const before = await signIn(known)
        const users = await usersOfAll()
        for (const phone of [known, unknown]) {
          await fleet().pass(60)
          const asked = await call(healthy(), 'otp/request', { phone })
          const otp = asked.json['preview_code']
          await lose(await doomed(breakage), 'verify-otp', { phone, otp })
          // The code is used, whoever comes with it.
          const again = await call(healthy(), 'verify-otp', { phone, otp })
          expect(again.json).toMatchObject({ status: 400, detail: 'Invalid OTP' })
          const lost = await stateOf(phone)
          if (phone === unknown) expect(lost).toHaveLength(isEntered ? 1 : 0)
          const entered = await signIn(phone)
          const [user, ...others] = await stateOf(phone)
          expect(others).toEqual([])
          expect(user).toMatchObject({ id: entered.json.user?.id, created: 1 })
          if (lost[0]) expect(user?.id).toBe(lost[0].id)
          if (phone === known) expect(user?.id).toBe(before.json.user?.id)
          // The session that nobody has a token of was begun whole, and can be seen and ended.
          const told = (phone === known ? 1 : 0) + 1
          expect(user).toMatchObject({
            sessions: told + (isEntered ? 1 : 0),
            started: told + (isEntered ? 1 : 0),
          })
        }
        expect(await usersOfAll()).toBe(users + 1)
      },
    )

    test.each([
      ['everything was committed', DONE, true],
      ['the code was judged', JUDGED, false],
    ])(
      'register/verify, after %s: one account, which its owner enters by code',
      async (_when, breakage, isEntered) => {
        const phone = numberOf(next++)
        const started = await call(healthy(), 'register', { phone, password: PASSWORD })
        const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
        await lose(await doomed(breakage), 'register/verify', proof)
        expect((await call(healthy(), 'register/verify', proof)).status).toBe(400)
        const entered = await signIn(phone)
        const state = await stateOf(phone)
        expect(state).toHaveLength(1)
        expect(state[0]).toMatchObject({ id: entered.json.user?.id, created: 1 })
        const login = () => call(healthy(), 'login', { identifier: phone, password: PASSWORD })
        expect((await login()).status).toBe(isEntered ? 200 : 401)
        if (isEntered) return
        // Its password went with the process: it is set as one that was forgotten.
        await fleet().pass(60)
        const asked = await call(healthy(), 'password/reset/request', { phone })
        const proven = await call(healthy(), 'password/reset/verify', {
          phone,
          code: asked.json['preview_code'],
        })
        const set = { reset_token: proven.json['reset_token'], password: PASSWORD }
        expect((await call(healthy(), 'password/reset', set)).status).toBe(200)
        expect((await login()).status).toBe(200)
      },
    )

    test('password/reset: the old password or the new one holds, never neither', async () => {
      const phone = numberOf(next++)
      const started = await call(healthy(), 'register', { phone, password: PASSWORD })
      const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
      expect((await call(healthy(), 'register/verify', proof)).status).toBe(201)
      const login = async (password: string) =>
        (await call(healthy(), 'login', { identifier: phone, password })).status
      for (const breakage of [JUDGED, DONE]) {
        await fleet().pass(60)
        const asked = await call(healthy(), 'password/reset/request', { phone })
        const guess = { phone, code: asked.json['preview_code'] }
        await lose(await doomed(breakage), 'password/reset/verify', guess)
        expect((await call(healthy(), 'password/reset/verify', guess)).status).toBe(400)
        expect(await login(PASSWORD)).toBe(200)
      }
      await fleet().pass(60)
      const asked = await call(healthy(), 'password/reset/request', { phone })
      const proven = await call(healthy(), 'password/reset/verify', {
        phone,
        code: asked.json['preview_code'],
      })
      const set = { reset_token: proven.json['reset_token'], password: 'Cobalt-Heron-47-ferry' }
      await lose(await doomed(DONE), 'password/reset', set)
      expect((await call(healthy(), 'password/reset', set)).status).toBe(400)
      expect([await login(PASSWORD), await login(set.password)]).toEqual([401, 200])
    })

    test('phone/verify: the number is the old one or the new one, and one user has it', async () => {
      const [from, to, third] = [numberOf(next++), numberOf(next++), numberOf(next++)]
      const { json } = await signIn(from)
      for (const [breakage, phone, holds] of [
        [JUDGED, to, from],
        [DONE, third, third],
      ] as const) {
        const started = await call(healthy(), 'phone', { phone }, json.access_token)
        expect(started.status, started.text).toBe(202)
        const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
        await lose(await doomed(breakage), 'phone/verify', proof, json.access_token)
        expect((await call(healthy(), 'phone/verify', proof, json.access_token)).status).toBe(400)
        for (const number of [from, phone]) {
          expect((await stateOf(number)).map(({ id }) => id)).toEqual(number === holds ? [json.user?.id] : [])
        }
        await fleet().pass(20)
      }
    })
  },
)
