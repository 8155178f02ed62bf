import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { type Data, describeBackends, inLongRuns, MONGODB, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { endProcesses, numberOf, ServerProcess } from '../../helpers/process.ts'
import {
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

const LONG = process.env['TEST_LONG'] === '1'
const KILLS = LONG ? 100 : 6
/** Servers that are killed side by side, each on data of its own: starting one is most of a round. */
const LANES = 2
/** Sessions that are refreshed while a server is killed. */
const LINES = 6
const GRACE_SECONDS = 10
/** When the first look at every session is later than this after the kill, the grace may be over. */
const SLOW_MS = (GRACE_SECONDS - 1) * 1000

afterAll(endProcesses)

/** A session, as two tabs of a browser know it. */
type Line = {
  readonly number: number
  /** The newest token that both were told. */
  held: Holder
  /** What one of them was told after that, of the other's knowledge nothing. */
  told: Holder[]
  rotations: number
}

/** Refreshes a session from two tabs at once, again and again, until the server dies. */
async function useUntilDead(server: ServerProcess, line: Line, faults: string[]): Promise<void> {
  for (;;) {
    const { refresh: token } = line.held
    const both = await Promise.allSettled([refresh(server, token), refresh(server, token)])
    const answers = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    for (const { status, text } of answers) if (status !== 200) faults.push(`${line.number}: ${text}`)
    const told = answers.flatMap(({ holder }) => (holder ? [holder] : []))
    const [first, second] = told
    if (first && second && first.refresh !== second.refresh) faults.push(`${line.number}: two children`)
    if (!first || !second) {
      line.told = told
      return
    }
    line.held = first
    line.rotations += 1
  }
}

/** What must hold of a session after its server was killed and another has started; `again`: what its token gave there. */
async function judge(server: ServerProcess, line: Line, again: Refreshed, faults: string[]): Promise<void> {
  const fault = (what: string) => void faults.push(`${line.number}: ${what}`)
  if (!again.holder) return fault(`neither token works: ${again.text}`)
  for (const { refresh: child } of line.told)
    if (child !== again.holder.refresh) fault('the token has another child than the one that was told')
  const next = await refresh(server, again.holder.refresh)
  if (!next.holder) return fault(`the child does not work: ${next.text}`)
  if ((await statusOf(server, next.holder)) !== 200) fault('the session does not live')
  const { body } = await callAs(server, 'GET', '/api/auth/sessions', { token: next.holder.access })
  const { length } = (body as { data: unknown[] }).data
  if (length !== 1) fault(`${length} sessions`)
  // The rule of replays has outlived the process: the grandparent ends it all.
  const replay = await refresh(server, line.held.refresh)
  if (replay.status !== 401) fault('a used token works')
  if ((await statusOf(server, next.holder)) !== 401) fault('the session lives on after a replay')
  if ((await refresh(server, next.holder.refresh)).status !== 401) fault('a descendant lives on')
  const { length: told } = await eventsOf(server, line.held.userId, 'session.reused')
  if (told !== 1) fault(`the replay was told ${told} times`)
}

/** Starts a server, kills it at random while it refreshes, starts another and judges; again and again. */
async function killAgainAndAgain({ data, kills }: { data: Data; kills: number }, faults: string[]) {
  const settings = { ...ROOMY, ...data.settings }
  let server = await ServerProcess.start({ settings })
  let number = 0
  const counts = { lines: 0, rotations: 0, halfTold: 0, slow: 0 }
  for (let kill = 0; kill < kills;) {
    const lines = await Promise.all(
      Array.from({ length: LINES }, async (): Promise<Line> => {
        const mine = number++
        return { number: mine, held: await signIn(server, numberOf(mine)), told: [], rotations: 0 }
      }),
    )
    const work = lines.map((line) => useUntilDead(server, line, faults))
    // At a random moment, but not before every line is under way.
    while (lines.some(({ rotations }) => rotations < 1)) await sleep(2)
    await sleep(Math.random() * 30)
    const from = performance.now()
    await server.kill()
    await Promise.all(work)
    server = await server.again()
    const answers = await Promise.all(lines.map(({ held }) => refresh(server, held.refresh)))
    if (performance.now() - from > SLOW_MS) {
      counts.slow += 1
      if (counts.slow > kills) throw new Error('this machine is too slow')
      continue
    }
    await Promise.all(answers.map((again, at) => judge(server, lines[at] as Line, again, faults)))
    kill += 1
    counts.lines += lines.length
    counts.halfTold += lines.filter(({ told }) => told.length > 0).length
    for (const { rotations } of lines) counts.rotations += rotations
  }
  await server.kill()
  return counts
}

describeBackends([POSTGRES, ...inLongRuns(SQLITE)], 'kill -9 on', (backend) => {
  test(
    `F20: ${KILLS} times in the midst of refreshes: the old token or the told one works, never neither, never two lines`,
    { timeout: LONG ? 1_800_000 : 300_000 },
    async () => {
      const faults: string[] = []
      const all = await Promise.all(Array.from({ length: LANES }, () => backend.fresh()))
      const kills = KILLS / LANES
      const counts = await Promise.all(all.map((data) => killAgainAndAgain({ data, kills }, faults)))
      await Promise.all(all.map((data) => data.drop()))
      expect(faults).toEqual([])
      const sum = (name: 'lines' | 'rotations') => counts.reduce((total, one) => total + one[name], 0)
      if (LONG) process.stdout.write(`${backend.name}: ${JSON.stringify(counts)}\n`)
      expect(sum('lines')).toBe(KILLS * LINES)
      expect(sum('rotations')).toBeGreaterThan(KILLS * LINES)
    },
  )
})

describeBackends([SQLITE, POSTGRES, MONGODB], 'after a restart on', (backend) => {
  test(
    'R67, A8: a used token stays used, within the grace and after it, and ends the session',
    { timeout: 120_000 },
    async () => {
      const data = await backend.fresh()
      const settings = { ...ROOMY, ...data.settings }
      let server = await ServerProcess.start({ settings })
      const restart = async (clockSeconds = 0) => {
        await server.kill()
        server = await server.again({ clockSeconds })
      }
      const first = await signIn(server, numberOf(0))
      const second = await refreshed(server, first.refresh)
      const third = await refreshed(server, second.refresh)
      const other = await signIn(server, numberOf(1))
      const heir = await refreshed(server, other.refresh)
      const quiet = await signIn(server, numberOf(2))
      await restart()
      // A start is no reason to forget what was used before it.
      expect((await refresh(server, first.refresh)).status).toBe(401)
      await expectOver(server, third)
      await expectOver(server, second)
      expect(await eventsOf(server, first.userId, 'session.reused')).toHaveLength(1)

      if (data.age) await data.age(GRACE_SECONDS)
      await restart(data.age ? 0 : GRACE_SECONDS)
      expect(await statusOf(server, heir)).toBe(200)
      expect((await refresh(server, other.refresh)).status).toBe(401)
      await expectOver(server, heir)
      await restart(data.age ? 0 : GRACE_SECONDS)
      // What has ended stays so, and what was not touched lives.
      for (const dead of [first, second, third, other, heir]) await expectOver(server, dead)
      expect(await eventsOf(server, other.userId, 'session.reused')).toHaveLength(1)
      expect((await refresh(server, quiet.refresh)).status).toBe(200)
      await server.kill()
      await data.drop()
    },
  )
})
