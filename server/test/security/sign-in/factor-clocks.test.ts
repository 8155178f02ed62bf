import { afterAll, expect, test } from 'vitest'
import { APP } from '../../../src/auth/totp.ts'
import { codeOf } from '../../../src/primitives/totp.ts'
import { stepNow } from '../../helpers/app-steps.ts'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { endProcesses, numberOf } from '../../helpers/process.ts'
import { PASSWORD, PLAIN } from './people.ts'

const HOUR = 3_600
const STEP_MS = 30_000

afterAll(endProcesses)

type Said = {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>> & { readonly backup_codes?: string[] }
}

describeBackends(
  [POSTGRES, ...inLongRuns(SQLITE, MONGODB)],
  'F22: clocks that differ and jump, on',
  (backend) => {
    const fleet = Fleet.forTests(backend, {
      settings: { ...PLAIN, DEV_MODE: 'true', WRONG_APP_CODES_PER_ACCOUNT_DAY: '100' },
    })
    let next = 0

    const call = async (n: number, path: string, body: object, key = 'none'): Promise<Said> => {
      const { status, text } = await fleet().server(n).call('POST', `/api/auth/${path}`, { key, body })
      return { status, body: JSON.parse(text) as Said['body'] }
    }
    const show = async (n: number, phone: string, factor: string, code: string) => {
      const { body } = await call(n, 'login', { identifier: phone, password: PASSWORD })
      return call(n, '2fa/verify', { challenge_token: body['challenge_token'], factor, code })
    }
    /** Somebody with an app, turned on with the code of the step before this one. */
    const person = async (step: number) => {
      const phone = numberOf(next++)
      const started = await call(0, 'register', { phone, password: PASSWORD })
      const { verification_id, preview_code: code } = started.body
      const { body: entered } = await call(1, 'register/verify', { verification_id, code })
      const key = String(entered['access_token'])
      const secret = String((await call(2, '2fa/enable', { method: 'app' }, key)).body['secret'])
      const confirmed = await call(0, '2fa/confirm', { code: codeOf(APP, secret, step - 1) }, key)
      expect(confirmed.status).toBe(200)
      return { phone, secret, backupCodes: confirmed.body.backup_codes ?? [] }
    }

    test('a code of an app, and a backup code, that were used never live again, and the next one is good everywhere', async () => {
      const step = await stepNow()
      const { phone, secret, backupCodes } = await person(step)
      const used = codeOf(APP, secret, step)
      expect((await show(0, phone, 'totp', used)).status).toBe(200)
      expect((await show(1, phone, 'backup_code', backupCodes[0] ?? '')).status).toBe(200)
      const usual = fleet().data.age === undefined ? [0, 0, 0] : [0, 300, -300]
      for (const [n, clock] of usual.entries()) {
        for (const seconds of [HOUR, -HOUR, -300, clock]) {
          await fleet().server(n).setClock(seconds)
          expect((await show(n, phone, 'totp', used)).status).toBe(400)
          expect((await show(n, phone, 'backup_code', backupCodes[0] ?? '')).status).toBe(400)
          if (seconds >= 0) continue
          // What somebody has seen, and nobody used, is of a step before the last one.
          const seen = codeOf(APP, secret, Math.floor((Date.now() + seconds * 1_000) / STEP_MS))
          expect((await show(n, phone, 'totp', seen)).status).toBe(400)
        }
      }
      // Nobody is locked out either: the step after the one that was used is taken, whichever server is asked.
      const later = await stepNow()
      expect((await show(2, phone, 'totp', codeOf(APP, secret, later + 1))).status).toBe(200)
      expect((await show(1, phone, 'totp', codeOf(APP, secret, later + 1))).status).toBe(400)
      expect((await show(0, phone, 'backup_code', backupCodes[1] ?? '')).status).toBe(200)
    })

    test('a challenge that was passed, or is five minutes old, opens nothing on any server', async () => {
      const { phone, backupCodes } = await person(await stepNow())
      const challenges = await Promise.all(
        [0, 1].map((n) => call(n, 'login', { identifier: phone, password: PASSWORD })),
      )
      const [passed, late] = challenges.map(({ body }) => String(body['challenge_token']))
      const verify = async (n: number, challenge_token: string | undefined, at: number) =>
        (await call(n, '2fa/verify', { challenge_token, factor: 'backup_code', code: backupCodes[at] }))
          .status
      expect(await verify(0, passed, 0)).toBe(200)
      for (let n = 0; n < 3; n++) {
        for (const seconds of [-HOUR, HOUR]) {
          await fleet().server(n).setClock(seconds)
          expect(await verify(n, passed, 1)).toBe(401)
          // Where the server's own clock decides, an hour is over for it.
          if (fleet().data.age === undefined && seconds > 0) expect(await verify(n, late, 1)).toBe(401)
        }
        await fleet().server(n).setClock(0)
      }
      await fleet().pass(301)
      for (let n = 0; n < 3; n++) expect(await verify(n, late, 1)).toBe(401)
      // Neither was a use of the code.
      const { body } = await call(0, 'login', { identifier: phone, password: PASSWORD })
      expect(await verify(1, String(body['challenge_token']), 1)).toBe(200)
    })
  },
)
