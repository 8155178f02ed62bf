import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MongoClient } from 'mongodb'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeClock } from '../../fake-clock.ts'
import { type Backend, describeBackends, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { BY_CHANCE } from '../../helpers/by-chance.ts'
import { breakPostgres } from '../../helpers/data/postgres.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { endProcesses, numberOf } from '../../helpers/process.ts'
import { phoneOf, startServer } from '../../helpers/server.ts'
import {
  type AnyServer,
  callAs,
  eventsOf,
  expectOver,
  type Holder,
  type Refreshed,
  refresh,
  refreshed,
  ROOMY,
  signIn,
  statusOf,
} from './holders.ts'

/** Servers that are broken on purpose are played in the long run; `stores/*-races.test.ts` break stores in each. */
const LONG = process.env['TEST_LONG'] === '1'

const BACKENDS = [SQLITE, POSTGRES, MONGODB]
const DAY = 86_400
const GRACE_SECONDS = 10
const RACERS = 100
const PAUSE_SECONDS = 0.02
const ROUNDS = LONG ? 100 : 8

afterAll(endProcesses)

/** Tells whether a session was ended because a token came again: both of its newest tokens are dead, and it was told once. */
async function expectReused(server: AnyServer, newest: Holder): Promise<void> {
  await expectOver(server, newest)
  const events = await eventsOf(server, newest.userId, 'session.reused')
  expect(events).toMatchObject([{ session_id: newest.sessionId, actor: 'anonymous' }])
}

/** The same refresh from everywhere at once. */
function race(fleet: Fleet, token: string): Promise<Refreshed[]> {
  return Promise.all(Array.from({ length: RACERS }, (_, n) => refresh(fleet.server(n), token)))
}

/** What else than a new pair was answered. */
function refusals(answers: readonly Refreshed[]): string[] {
  return answers.filter(({ status }) => status !== 200).map(({ text }) => text)
}

describeBackends(BACKENDS, 'refresh tokens, over three processes on', (backend) => {
  const fleet = Fleet.forTests(backend, { settings: ROOMY })
  let next = 0
  const enter = (agent?: string) => signIn(fleet().server(next), numberOf(next++), agent)

  test(`R64, A7: ${RACERS} refreshes of one token at once are one line of children, which lives and goes on`, async () => {
    let holder = await enter()
    for (let generation = 0; generation < 3; generation++) {
      const answers = await race(fleet(), holder.refresh)
      expect(refusals(answers)).toEqual([])
      const children = new Set(answers.map((one) => one.holder?.refresh))
      expect(children.size).toBe(1)
      for (const { holder: child } of answers.slice(0, 3))
        if (child) expect(await statusOf(fleet().server(generation), child)).toBe(200)
      const [first] = answers
      if (first?.holder === undefined) throw new Error('nobody got a child')
      expect(first.holder.refresh).not.toBe(holder.refresh)
      expect(first.holder.sessionId).toBe(holder.sessionId)
      holder = first.holder
    }
    const { body } = await callAs(fleet().server(1), 'GET', '/api/auth/sessions', { token: holder.access })
    expect((body as { data: unknown[] }).data).toHaveLength(1)
    expect(await eventsOf(fleet().server(2), holder.userId, 'session.reused')).toEqual([])
  })

  test('R65: a used token that comes again later ends the session, its newest child too, at once and everywhere', async () => {
    const first = await enter()
    const second = await refreshed(fleet().server(1), first.refresh)
    await fleet().pass(GRACE_SECONDS + 1)
    expect((await refresh(fleet().server(2), first.refresh)).status).toBe(401)
    for (const server of fleet().servers) await expectReused(server, second)
    // It stays over, and is told of once.
    expect((await refresh(fleet().server(0), first.refresh)).status).toBe(401)
    await expectReused(fleet().server(1), second)
  })

  test('R65, A40: also while its children are being refreshed: what begins after the refusal is refused', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await enter()
      let newest = await refreshed(fleet().server(round), first.refresh)
      await fleet().pass(GRACE_SECONDS + 1)
      let endedAt = Infinity
      const late: number[] = []
      // Two who hold the newest, as a thief and a victim within the grace would, and never stop.
      const chains = [0, 1].map(async (lane) => {
        let held = newest
        for (let n = 0; n < 1_000; n++) {
          const from = performance.now()
          const { holder } = await refresh(fleet().server(lane + n), held.refresh)
          if (!holder) return
          if (from > endedAt) late.push(from)
          held = holder
          newest = holder
        }
        throw new Error('the session never ended')
      })
      const replays = [0, 1, 2].map(async (lane) => {
        const { status } = await refresh(fleet().server(round + lane), first.refresh)
        endedAt = Math.min(endedAt, performance.now())
        return status
      })
      expect(await Promise.all(replays)).toEqual([401, 401, 401])
      await Promise.all(chains)
      expect(late).toEqual([])
      await expectReused(fleet().server(round), newest)
    }
  })

  test('R66, A9: two uses in quick succession, then the older token: the session ends', async () => {
    const first = await enter()
    const second = await refreshed(fleet().server(0), first.refresh)
    const third = await refreshed(fleet().server(1), second.refresh)
    expect((await refresh(fleet().server(2), first.refresh)).status).toBe(401)
    await expectReused(fleet().server(0), third)
  })

  test('R68: whoever lost the answer gets the same child, from whichever process, as long as it is unused', async () => {
    const first = await enter()
    const second = await refreshed(fleet().server(0), first.refresh)
    for (const server of fleet().servers) {
      const again = await refreshed(server, first.refresh)
      expect(again.refresh).toBe(second.refresh)
      expect(await statusOf(server, again)).toBe(200)
    }
    await fleet().pass(GRACE_SECONDS / 2)
    expect((await refreshed(fleet().server(2), first.refresh)).refresh).toBe(second.refresh)
    const third = await refreshed(fleet().server(1), second.refresh)
    expect((await refreshed(fleet().server(0), second.refresh)).refresh).toBe(third.refresh)
    // Its child was used: it is the grandparent by now, and never comes again.
    expect((await refresh(fleet().server(1), first.refresh)).status).toBe(401)
    await expectReused(fleet().server(2), third)
  })

  test('R68: another User-Agent that brings the token before ends the session', async () => {
    const first = await enter('Firefox')
    const second = await refreshed(fleet().server(1), first.refresh, 'Firefox')
    expect((await refresh(fleet().server(2), first.refresh, 'curl')).status).toBe(401)
    await expectReused(fleet().server(0), second)
    const [event] = await eventsOf(fleet().server(0), first.userId, 'session.reused')
    expect(event).toMatchObject({ agent: 'curl', data: { generation: '0' } })
  })

  test('R69: a session that is not used, and one that is used every day, end', async () => {
    const idle = await enter()
    let daily = await enter()
    for (let day = 0; day < 90; day += 15) {
      daily = await refreshed(fleet().server(day), daily.refresh)
      await fleet().pass(15 * DAY)
      // Also to whoever looks at it only now.
      if (day === 15) await expectOver(fleet().server(1), idle)
    }
    await expectOver(fleet().server(0), daily)
    for (const { userId } of [idle, daily])
      expect(await eventsOf(fleet().server(0), userId, 'session.reused')).toEqual([])
  })

  test('R69: nothing of a token lies in the database, nor in the log', async () => {
    const first = await enter()
    const second = await refreshed(fleet().server(0), first.refresh)
    const third = await refreshed(fleet().server(1), second.refresh)
    const kept = await contentsOf(backend, fleet())
    const logs = fleet().servers.map((server) => server.stdout + server.stderr)
    // What is looked for can be found: the session's id is there.
    expect(kept.includes(third.sessionId)).toBe(true)
    for (const { access, refresh: token } of [first, second, third])
      for (const form of [...formsOf(token), ...formsOf(access)]) {
        expect(kept.includes(form)).toBe(false)
        for (const log of logs) expect(Buffer.from(log).includes(form)).toBe(false)
      }
  })
})

if (LONG)
  describe('a rotation that is read before it is written shows', () => {
    describeBackends([POSTGRES], 'on', (backend) => {
      const fleet = Fleet.forTests(backend, { settings: ROOMY })
      beforeAll(() =>
        breakPostgres(fleet().data, 'rotate', [
          [/WHERE o\.id = r\.id FOR UPDATE;/, 'WHERE o.id = r.id;'],
          [/outcome := 'rotated';/, `$& PERFORM pg_sleep(${PAUSE_SECONDS});`],
        ]),
      )
      let next = 0

      test('R64, A7: one token has several children', BY_CHANCE, async () => {
        const { refresh: token } = await signIn(fleet().server(0), numberOf(next++))
        const answers = await race(fleet(), token)
        const children = new Set(answers.map(({ holder }) => holder?.refresh))
        expect(children.size).toBeGreaterThan(1)
      })
    })
  })

describe('refresh tokens, by a clock that is moved as one likes', () => {
  const world = async (settings: Record<string, string> = {}) => {
    const clock = new FakeClock()
    const server = await startServer({ overrides: { clock }, settings: { ...ROOMY, ...settings } })
    return { clock, server, first: await signIn(server, phoneOf(0)) }
  }

  test('R66, A9: two uses in the same millisecond, then the older token: the session ends', async () => {
    const { server, first } = await world()
    const second = await refreshed(server, first.refresh)
    const third = await refreshed(server, second.refresh)
    expect((await refresh(server, first.refresh)).status).toBe(401)
    await expectReused(server, third)
  })

  test('R68: the grace ends after 10 seconds to the millisecond', async () => {
    for (const [ms, status] of [
      [9_999, 200],
      [10_000, 401],
    ] as const) {
      const { server, clock, first } = await world()
      const second = await refreshed(server, first.refresh)
      clock.advanceMs(ms)
      const again = await refresh(server, first.refresh)
      expect(again.status).toBe(status)
      if (status === 200) expect(again.holder?.refresh).toBe(second.refresh)
      else await expectReused(server, second)
    }
  })

  test('R68: a repeat makes the grace no longer', async () => {
    const { server, clock, first } = await world()
    const second = await refreshed(server, first.refresh)
    clock.advanceMs(9_999)
    await refreshed(server, first.refresh)
    clock.advanceMs(1)
    expect((await refresh(server, first.refresh)).status).toBe(401)
    await expectReused(server, second)
  })

  test('R68: with REFRESH_GRACE_SECONDS=0 no token comes twice', async () => {
    const { server, first } = await world({ REFRESH_GRACE_SECONDS: '0' })
    const second = await refreshed(server, first.refresh)
    expect((await refresh(server, first.refresh)).status).toBe(401)
    await expectReused(server, second)
  })

  test('R69: a session ends 30 days after its last use, to the millisecond', async () => {
    for (const [ms, status] of [
      [-1, 200],
      [0, 401],
    ] as const) {
      const { server, clock, first } = await world()
      clock.advance(DAY)
      const second = await refreshed(server, first.refresh)
      clock.advanceMs(30 * DAY * 1000 + ms)
      expect((await refresh(server, second.refresh)).status).toBe(status)
    }
  })

  test('R69: a session that is used every day ends 90 days after it began, and access tokens do not outlive it', async () => {
    const { server, clock, first } = await world()
    let held = first
    for (let day = 0; day < 89; day++) {
      clock.advance(DAY)
      held = await refreshed(server, held.refresh)
      expect(held.expiresIn).toBe(900)
    }
    clock.advance(DAY - 60)
    held = await refreshed(server, held.refresh)
    // A client that is told so much would come with a dead token otherwise.
    expect(held.expiresIn).toBe(60)
    clock.advanceMs(59_999)
    expect(await statusOf(server, held)).toBe(200)
    clock.advanceMs(1)
    await expectOver(server, held)
    clock.advance(-DAY)
    await expectOver(server, held)
  })

  test('R68: a forged token with the right session ends nothing', async () => {
    const { server, clock, first } = await world()
    const second = await refreshed(server, first.refresh)
    clock.advance(11)
    const [, kind = '', id = '', count = '', mac = ''] =
      /^(rt)_(\w{44})_(\w)_(.{43})$/.exec(second.refresh) ?? []
    const oldMac = first.refresh.slice(-43)
    const flipped = (mac.startsWith('A') ? 'B' : 'A') + mac.slice(1)
    expect([kind, count, mac.length]).toEqual(['rt', '1', 43])
    const forged = [
      `${kind}_${id}_${count}_${flipped}`,
      `${kind}_${id}_0_${mac}`,
      `${kind}_${id}_2_${mac}`,
      `${kind}_${id}_zzzzzzzz_${mac}`,
      `${kind}_${id}_0_${flipped}`,
      `${kind}_${id}_1_${oldMac}`,
      `${kind}_${id}_01_${mac}`,
      `${kind}_${id.replace(/^./, 'f')}_${count}_${mac}`,
      `${kind}_${id}_${count}_${'A'.repeat(43)}`,
      `${kind}_${id}_${count}_`,
      `${kind}_${id}_${count}`,
      `${second.refresh}A`,
      second.refresh.slice(0, -1),
      second.refresh.toUpperCase(),
      ` ${second.refresh}`,
      `${second.refresh}\n`,
      `${second.refresh}\u0000`,
      second.sessionId,
    ]
    for (const token of forged) expect([token, (await refresh(server, token)).status]).toEqual([token, 401])
    expect(await eventsOf(server, first.userId, 'session.reused')).toEqual([])
    expect(await statusOf(server, second)).toBe(200)
    expect((await refresh(server, second.refresh)).status).toBe(200)
  })
})

/** A token as it may lie somewhere: what is secret of it, in every way to write bytes. */
function formsOf(token: string): string[] {
  const secret = token.startsWith('rt_') ? token.slice(-43) : (token.split('.')[2] ?? '')
  const bytes = Buffer.from(secret, 'base64url')
  const base64 = bytes.toString('base64').replace(/=+$/, '')
  const hex = bytes.toString('hex')
  return [secret, base64, hex, hex.toUpperCase(), bytes.toString('latin1')]
}

/** Everything that a fleet's database holds. */
async function contentsOf({ name }: Backend, { data }: Fleet): Promise<Buffer> {
  const url = data.settings['DATABASE_URL'] ?? ''
  if (name === SQLITE.name) {
    const folder = dirname(url.replace(/^sqlite:/, ''))
    return Buffer.concat(readdirSync(folder).map((file) => readFileSync(join(folder, file))))
  }
  return Buffer.from(name === MONGODB.name ? await mongoContents(url) : await postgresContents(url))
}

async function postgresContents(url: string): Promise<string> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    const tables =
      await sql`SELECT table_name FROM information_schema.tables WHERE table_schema = 'countersign'`
    const rows = await Promise.all(
      tables.map(({ table_name: table }) =>
        sql.unsafe(`SELECT t::text AS row FROM countersign."${String(table)}" AS t`),
      ),
    )
    return rows
      .flat()
      .map(({ row }) => String(row))
      .join('\n')
  } finally {
    await sql.end()
  }
}

async function mongoContents(url: string): Promise<string> {
  const client = new MongoClient(url)
  try {
    const collections = await client.db().collections()
    const found = await Promise.all(collections.map((collection) => collection.find().toArray()))
    return JSON.stringify(found)
  } finally {
    await client.close()
  }
}
