import { afterAll, expect, onTestFinished, test } from 'vitest'
import { newBackupCodes } from '../../../src/auth/backup-codes.ts'
import { factorsOf } from '../../../src/auth/second-factors.ts'
import { FakeClock } from '../../fake-clock.ts'
import { describeBackends, inLongRuns, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { QUICK, register, type WireTokens } from '../../helpers/people.ts'
import { endProcesses } from '../../helpers/process.ts'
import { as, challenged, enableApp, pass, someone } from '../../helpers/second-factors.ts'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'
import { settled } from './people.ts'

const PHONE = phoneOf(0)

afterAll(endProcesses)

/** Shows a backup code with a challenge of its own. */
async function show(server: TestServer, code: string, phone = PHONE) {
  return pass(server, await challenged(server, phone), { factor: 'backup_code', code })
}

/** What is kept of somebody's backup codes. */
async function keptOf(server: TestServer, { user }: WireTokens) {
  const account = await server.countersign.auth.administration.read(user.id)
  const factors = factorsOf(account.user)
  if (factors === null) throw new Error('no second factor')
  return factors.backup
}

test('R80: a backup code is 50 random bits: ten letters of 32 that are all as likely', () => {
  const made = Array.from({ length: 400 }, newBackupCodes).flat()
  expect(new Set(made).size).toBe(4_000)
  const counts = new Map<string, number>()
  for (const letter of made.join('').replaceAll('-', '')) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  expect(new Set(made.map((code) => code.replace('-', '').length))).toEqual(new Set([10]))
  expect(10 * Math.log2(counts.size)).toBeGreaterThanOrEqual(50)
  // 40,000 letters, 1,250 of each with a deviation of 35: seven of them off is less than one run in 10^10.
  for (const [letter, count] of counts) expect(Math.abs(count - 1_250), letter).toBeLessThan(7 * 35)
})

test('R80: of a backup code an argon2id hash is kept, with a salt that no other set of codes has', async () => {
  const { server, tokens, backupCodes } = await someone('app')
  const other = await register(server, { phone: phoneOf(1) })
  const theirs = await enableApp(server, other)
  const [mine, others] = [await keptOf(server, tokens), await keptOf(server, other)]
  const renewed = await as<{ backup_codes: string[] }>(server, other, '2fa/backup-codes')
  expect(renewed.status, renewed.text).toBe(403)
  const stepped = await pass(server, await challenged(server, phoneOf(1)), {
    factor: 'backup_code',
    code: theirs.backupCodes[0] ?? '',
  })
  await as(server, stepped.body, '2fa/backup-codes')
  const after = await keptOf(server, other)
  const salts = [mine, others, after].map(({ salt }) => salt)
  for (const salt of salts) expect(salt).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$[A-Za-z0-9+/]{22}$/)
  expect(new Set(salts).size).toBe(3)
  // 256 bits each, none of them twice, and no code among them.
  const hashes = [mine, others, after].flatMap((one) => [...one.hashes])
  expect(new Set(hashes).size).toBe(30)
  for (const hash of hashes) expect(hash).toMatch(/^[A-Za-z0-9+/]{43}$/)
  for (const code of backupCodes) expect(JSON.stringify(mine)).not.toContain(code.slice(0, 5))
})

test('R80: the owner is told of each use by text, and how many are left', async () => {
  const { server, backupCodes } = await someone('app')
  await settled()
  for (const [used, code] of backupCodes.slice(0, 3).entries()) {
    server.inbox.clear()
    const { body } = await show(server, code)
    expect(body.user.backup_codes_left).toBe(9 - used)
    await settled()
    const texts = server.inbox.list().filter(({ to }) => to === PHONE)
    expect(texts.map(({ body: text }) => text)).toEqual([expect.stringContaining(`${9 - used} left`)])
  }
  server.inbox.clear()
  expect((await show(server, backupCodes[0] ?? '')).status).toBe(400)
  expect((await show(server, 'aaaaa-aaaaa')).status).toBe(400)
  await settled()
  // A wrong one is no use.
  expect(server.inbox.list()).toEqual([])
})

test('R80: codes that were made anew end all there were, and turning the factor off ends them too', async () => {
  const { server, backupCodes } = await someone('app')
  const { body: held } = await show(server, backupCodes[0] ?? '')
  const renewed = await as<{ backup_codes: string[] }>(server, held, '2fa/backup-codes')
  expect(renewed.status, renewed.text).toBe(200)
  for (const code of backupCodes.slice(1, 4)) expect((await show(server, code)).status).toBe(400)
  const fresh = renewed.body.backup_codes
  expect((await show(server, fresh[0] ?? '')).status).toBe(200)
  expect((await as(server, held, '2fa/disable')).status).toBe(200)
  await enableApp(server, held)
  for (const code of fresh.slice(1, 4)) expect((await show(server, code)).status).toBe(400)
})

describeBackends(
  [POSTGRES, ...inLongRuns(SQLITE, MONGODB)],
  'R80, A13: a backup code that was used, on',
  (backend) => {
    test('is used on every process, and after each has been started again', async () => {
      const data = await backend.fresh()
      const clock = new FakeClock()
      const servers: TestServer[] = []
      const start = async () => {
        const server = await startServer({
          keep: true,
          settings: { ...QUICK, ...data.settings },
          overrides: { clock },
        })
        servers.push(server)
        return server
      }
      onTestFinished(async () => {
        await Promise.all(servers.map((server) => server.close()))
        await data.drop()
      })
      const [first, second] = [await start(), await start()]
      const { backupCodes } = await enableApp(first, await register(first, { phone: PHONE }))
      const [used = '', other = '', last = ''] = backupCodes
      expect((await show(first, used)).status).toBe(200)
      for (const server of [first, second]) expect((await show(server, used)).status).toBe(400)
      expect((await show(second, other)).body.user.backup_codes_left).toBe(8)
      await Promise.all([first.close(), second.close()])
      const again = await start()
      for (const code of [used, other]) expect((await show(again, code)).status).toBe(400)
      expect((await show(again, last)).body.user.backup_codes_left).toBe(7)
    })
  },
)
