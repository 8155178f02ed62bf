import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Keys } from '../../src/keys/keys.ts'
import { openSqlite } from '../../src/stores/sqlite/store.ts'
import { PURPOSES } from '../../src/verify/verification.ts'
import { systemClock } from '../../src/primitives/clock.ts'
import { type Answer, endProcesses, makeFolder, numberOf, ServerProcess } from '../helpers/process.ts'
import { wrong } from '../helpers/wire.ts'
import { burst } from './burst.ts'

// Three processes on one SQLite file. It is meant for one; it must be right with three all the same.
const SERVICES = 17
let servers: ServerProcess[] = []
const serviceKeys: string[] = []
let next = 0
let clockSeconds = 0

beforeAll(async () => {
  const folder = makeFolder()
  const path = join(folder, 'data/countersign.db')
  const store = openSqlite({ path, synchronous: 'normal', retentionDays: 30, clock: systemClock })
  const keys = new Keys(store.keys, systemClock)
  for (let n = 0; n < SERVICES; n++)
    serviceKeys.push((await keys.create('secret', { service: `s${n}` })).token)
  await store.close()
  servers = await ServerProcess.startSeveral(3, {
    folder,
    settings: {
      RESEND_COOLDOWN_SECONDS: '1',
      SMS_RATE_LIMIT_PER_PHONE: '1000',
      SMS_MAX_PER_PHONE_DAY: '1000',
    },
  })
})
afterAll(endProcesses)

function server(n: number): ServerProcess {
  const found = servers[n % servers.length]
  if (!found) throw new Error('no server')
  return found
}

async function advance(seconds: number): Promise<void> {
  clockSeconds += seconds
  await Promise.all(servers.map((one) => one.setClock(clockSeconds)))
}

/** A new verification of a number nobody has used, and its code. */
async function open(to = numberOf(next++), more: object = {}, key = 'sk') {
  const { status, body, text } = await server(next).start(to, more, { key })
  expect(status, text).toBe(201)
  const { id = '', preview_code: code = '' } = body
  expect(code).toMatch(/^\d{6}$/)
  return { id, code, to }
}

/** How often each answer came. */
function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const word = `${status} ${body.reason ?? body.limit ?? body.code}`
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

test('R3: of 1,000 wrong checks raced over three processes exactly 5 are judged', async () => {
  const { id, code } = await open()
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => server(n).check(id, wrong(code, n + 1))),
  )
  expect(tally(answers)).toEqual({ '200 wrong_code': 5, '200 locked': 995 })
  expect(await server(0).read(id)).toMatchObject({ status: 'locked', checks_left: 0 })
})

test('R4: of 1,000 right checks raced over three processes exactly 1 is approved, with the only proof', async () => {
  const { id, code } = await open()
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, n) => server(n).check(id, code)))
  expect(tally(answers)).toEqual({ '200 approved': 1, '200 already_used': 999 })
  expect(answers.filter(({ body }) => body.proof !== undefined)).toHaveLength(1)
})

test('R5: 499 wrong and 1 right arriving together: at most 5 judged, at most 1 approved, never locked and approved', async () => {
  // The right one is among the first, in the middle, and anywhere.
  for (const at of [0, 2, 4, 250, Math.floor(Math.random() * 500)]) {
    const { id, code } = await open()
    const answers = await burst(
      Array.from({ length: 500 }, (_, n) => ({
        server: server(n),
        path: `/v1/verifications/${id}/check`,
        body: { code: n === at ? code : wrong(code, n + 1) },
      })),
    )
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
    const of = (reason: string) => answers.filter((answer) => answer.reason === reason).length
    expect(of('approved')).toBeLessThanOrEqual(1)
    expect(of('approved') + of('wrong_code')).toBeLessThanOrEqual(5)
    expect(of('locked') > 0 && of('approved') > 0).toBe(false)
    const { status } = await server(0).read(id)
    expect(status).toBe(of('approved') === 1 ? 'approved' : 'locked')
  }
})

test('R6: the right code after the fifth wrong one is answered exactly as any other sixth check', async () => {
  const { id, code } = await open()
  for (let n = 1; n <= 5; n++) await server(n).check(id, wrong(code, n))
  const [right, other] = [await server(1).check(id, code), await server(1).check(id, wrong(code, 9))]
  expect(right.status).toBe(other.status)
  expect(right.text).toBe(other.text)
  expect(Object.keys(right.headers)).toEqual(Object.keys(other.headers))
  expect(right.body).toMatchObject({ valid: false, reason: 'locked' })
})

test('R7: resends win no guesses: 4 wrong, resend, 4 wrong, resend… has 5 judged in all', async () => {
  const { id, code } = await open()
  const answers: Answer[] = []
  const resends: number[] = []
  for (let round = 0; round < 4; round++) {
    for (let n = 1; n <= 4; n++) answers.push(await server(n).check(id, wrong(code, n)))
    await advance(200)
    resends.push((await server(round).call('POST', `/v1/verifications/${id}/resend`)).status)
  }
  expect(resends[0]).toBe(200)
  expect(tally(answers)).toEqual({ '200 wrong_code': 5, '200 locked': 11 })
  // A start for the same number is a resend too while the verification is pending, and a new one after it.
  await advance(600)
  expect((await server(0).check(id, code)).body.reason).toBe('locked')
})

test('R9: 102 verifications of one number over purposes and services share one budget of 20 wrong guesses', async () => {
  const to = numberOf(next++)
  const opened: { id: string; code: string; key: string }[] = []
  for (const key of serviceKeys) {
    for (const purpose of PURPOSES) {
      await advance(2)
      opened.push({ ...(await open(to, { purpose }, key)), key })
    }
  }
  expect(new Set(opened.map(({ id }) => id)).size).toBe(SERVICES * PURPOSES.length)
  const answers = await Promise.all(
    opened.flatMap(({ id, code, key }, at) =>
      [1, 2, 3, 4, 5].map((n) => server(at + n).check(id, wrong(code, n), { key })),
    ),
  )
  const counts = tally(answers)
  expect(counts['200 wrong_code']).toBe(20)
  expect(counts['429 wrong_checks_per_phone_day']).toBe(opened.length * 5 - 20 - (counts['200 locked'] ?? 0))
  // Spent is spent: not even a right code is judged, in any of them, until the budget opens again.
  const right = await Promise.all(opened.map(({ id, code, key }, at) => server(at).check(id, code, { key })))
  expect(right.filter(({ body }) => body.valid === true)).toEqual([])
})

test('R12: a code is right 100 ms before its end and expired 100 ms after it, on every process', async () => {
  const [first, second] = [await open(), await open()]
  const endOf = async (id: string) => Date.parse((await server(0).read(id)).expires_at ?? '')
  const [firstEnd, secondEnd] = [await endOf(first.id), await endOf(second.id)]
  await Promise.all(servers.map((one) => one.freezeClock(firstEnd - 100)))
  expect((await server(1).check(first.id, first.code)).body).toMatchObject({
    valid: true,
    reason: 'approved',
  })
  await Promise.all(servers.map((one) => one.freezeClock(secondEnd + 100)))
  for (const one of servers) {
    expect((await one.check(second.id, second.code)).body).toMatchObject({ valid: false, reason: 'expired' })
  }
  await advance(0)
})

test('R13: an approved code is used for ever, on every process, after a restart and after kill -9', async () => {
  const { id, code, to } = await open()
  expect((await server(0).check(id, code)).body.reason).toBe('approved')
  const usedEverywhere = async () => {
    for (const one of servers) {
      expect((await one.check(id, code)).body).toMatchObject({ valid: false, reason: 'already_used' })
      const byNumber = await one.call('POST', '/v1/checks', { body: { to, code } })
      expect(byNumber.body).toMatchObject({ valid: false, reason: 'already_used' })
    }
  }
  await usedEverywhere()
  expect(await server(0).stop()).toMatchObject({ code: 0 })
  await server(1).kill()
  const clock = { clockSeconds }
  servers = [await server(0).again(clock), await server(1).again(clock), server(2)]
  await usedEverywhere()
  // All at once, with nobody left to have it in memory.
  await Promise.all(servers.map((one) => one.kill()))
  servers = [await server(0).again(clock)]
  await usedEverywhere()
})
