import type { RouteOptions, FastifyServerOptions } from 'fastify'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { APP } from '../../../src/auth/totp.ts'
import { codeOf } from '../../../src/primitives/totp.ts'
import { stepNow } from '../../helpers/app-steps.ts'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { endProcesses, numberOf } from '../../helpers/process.ts'
import { challenged, someone } from '../../helpers/second-factors.ts'
import { PASSWORD } from './people.ts'
import { call, SETTINGS, tally } from './strangers.ts'

const routesByApp = new Map<unknown, RouteOptions[]>()
vi.mock(import('fastify'), async (original) => {
  const module = await original()
  const fastify = (options?: FastifyServerOptions) => {
    const app = module.fastify(options)
    const routes: RouteOptions[] = []
    routesByApp.set(app, routes)
    app.addHook('onRoute', (route) => void routes.push(route))
    return app
  }
  return { ...module, fastify, default: fastify } as unknown as typeof module
})

afterAll(endProcesses)

describeBackends(
  [POSTGRES, ...inLongRuns(SQLITE, MONGODB)],
  'second factors, three processes on',
  (backend) => {
    const fleet = Fleet.forTests(backend, { settings: SETTINGS })
    let next = 0

    /** The code that an app shows, or showed so many steps before. */
    const codeNow = async (secret: string, before = 0) => {
      // Where the data grows older in place of the clocks, those of the servers tell the time of day.
      const step = await stepNow(() => (fleet().data.age ? Date.now() : fleet().now()))
      return codeOf(APP, secret, step - before)
    }

    /** Somebody with an app, turned on with the code before the present one. */
    const person = async () => {
      const phone = numberOf(next++)
      const started = await call(fleet().server(next), 'register', { phone, password: PASSWORD })
      const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
      const entered = await call(fleet().server(next), 'register/verify', proof)
      expect(entered.status, entered.text).toBe(201)
      const token = String(entered.json.access_token)
      const begun = await call(fleet().server(next), '2fa/enable', { method: 'app' }, token)
      const secret = String(begun.json['secret'])
      const confirmed = await call(
        fleet().server(next),
        '2fa/confirm',
        { code: await codeNow(secret, 1) },
        token,
      )
      expect(confirmed.status, confirmed.text).toBe(200)
      return { phone, secret, token, backupCodes: confirmed.json.backup_codes ?? [] }
    }
    /** As many challenges of an account. */
    const challengesOf = async (phone: string, count: number) => {
      const answers = await Promise.all(
        Array.from({ length: count }, (_, n) =>
          call(fleet().server(n), 'login', { identifier: phone, password: PASSWORD }),
        ),
      )
      return answers.map(({ json }) => String(json['challenge_token']))
    }
    const pass = (n: number, challenge_token: string, factor: string, code: string) =>
      call(fleet().server(n), '2fa/verify', { challenge_token, factor, code })

    test('R79, A12: one backup code, 30 sign-ins at once: one comes in', async () => {
      const { phone, backupCodes } = await person()
      const challenges = await challengesOf(phone, 30)
      const [code = ''] = backupCodes
      const answers = await Promise.all(challenges.map((one, n) => pass(n, one, 'backup_code', code)))
      expect(tally(answers)).toEqual({ '200': 1, '400 invalid_code': 29 })
    })

    test('R77: one code of an app, 100 sign-ins at once: one comes in', async () => {
      const { phone, secret } = await person()
      const challenges = await challengesOf(phone, 100)
      const code = await codeNow(secret)
      const answers = await Promise.all(challenges.map((one, n) => pass(n, one, 'totp', code)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      // Of the wrong ones so many are looked at as an account has in a day.
      expect(Object.keys(tally(answers)).sort()).toEqual([
        '200',
        '400 invalid_code',
        '429 wrong_app_codes_per_account',
      ])
    })

    test('R76: one challenge, 30 times a right code at once: one session, and five tries', async () => {
      const { phone, backupCodes } = await person()
      const [challenge = ''] = await challengesOf(phone, 1)
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) => pass(n, challenge, 'backup_code', backupCodes[n % 10] ?? '')),
      )
      const counts = tally(answers)
      expect(counts['200']).toBe(1)
      expect(counts['401 challenge_ended']).toBeGreaterThanOrEqual(25)
    })

    test('R80: new backup codes while an old one is used: never both', async () => {
      for (let round = 0; round < 6; round++) {
        const { phone, secret, token, backupCodes } = await person()
        const [mine = '', theirs = ''] = await challengesOf(phone, 2)
        const stepped = await call(fleet().server(round), '2fa/challenge', {}, token)
        const own = await pass(round, String(stepped.json['challenge_token']), 'totp', await codeNow(secret))
        const [used, renewed] = await Promise.all([
          pass(round, mine, 'backup_code', backupCodes[0] ?? ''),
          call(fleet().server(round + 1), '2fa/backup-codes', {}, String(own.json.access_token)),
        ])
        expect(renewed.status, renewed.text).toBe(200)
        const fresh = renewed.json.backup_codes ?? []
        // Whoever was first: what was used or replaced is worth nothing, and ten new ones are there.
        expect([200, 400]).toContain(used.status)
        expect((await pass(round, theirs, 'backup_code', backupCodes[1] ?? '')).status).toBe(400)
        expect((await pass(round, theirs, 'backup_code', fresh[0] ?? '')).json.user).toMatchObject({
          backup_codes_left: 9,
        })
      }
    })

    test('F19: what was used stays used after kill -9 and a restart', async () => {
      const { phone, secret, backupCodes } = await person()
      const [one = '', two = '', three = ''] = await challengesOf(phone, 3)
      const code = await codeNow(secret)
      expect((await pass(0, one, 'totp', code)).status).toBe(200)
      expect((await pass(1, two, 'backup_code', backupCodes[0] ?? '')).status).toBe(200)
      const servers = fleet().servers
      await Promise.all(servers.map((server) => server.kill()))
      await fleet().reboot(servers)
      expect((await pass(0, three, 'totp', code)).status).toBe(400)
      expect((await pass(0, three, 'backup_code', backupCodes[0] ?? '')).status).toBe(400)
      expect((await pass(0, one, 'backup_code', backupCodes[1] ?? '')).status).toBe(401)
    })
  },
)

describe('R75: before the second factor', () => {
  test('a challenge is no access token, at no route that wants one', async () => {
    const { server, phone } = await someone('app')
    const { challenge_token: key } = await challenged(server, phone)
    const routes = (routesByApp.get(server.app) ?? []).filter(({ config }) => config?.access === 'user')
    expect(routes.length).toBeGreaterThan(15)
    for (const { method, url } of routes) {
      for (const one of [method].flat()) {
        if (one === 'HEAD') continue
        const path = url.replace(':id', `ses_${'0'.repeat(44)}`)
        const { status } = await server.api(one, path, {
          key,
          ...(one === 'GET' || one === 'DELETE' ? {} : { body: {} }),
        })
        expect(status, `${one} ${url}`).toBe(401)
      }
    }
  })
})
