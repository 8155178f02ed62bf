import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { endProcesses, numberOf, ServerProcess, type Wire } from '../helpers/process.ts'
import { wrong } from '../helpers/wire.ts'

const LONG = process.env['TEST_LONG'] === '1'
const KILLS = LONG ? 500 : 8
const CLIENTS = 16

afterAll(endProcesses)

/** What clients were told about one verification. Only what was answered counts: the rest may or may not have happened. */
type Seen = {
  readonly id: string
  readonly code: string
  judged: number
  approved: number
  /** An end that was told: it holds for ever. */
  ended: 'approved' | 'canceled' | 'locked' | undefined
}

/** What the rest of a verification's life must look like after what was told. */
function faultsOf(seen: Seen, now: Wire): string[] {
  const faults: string[] = []
  if (seen.judged > 5) faults.push(`${seen.judged} judged`)
  if (seen.approved > 1) faults.push(`approved ${seen.approved} times`)
  if (seen.ended !== undefined && now.status !== seen.ended) faults.push(`${seen.ended} became ${now.status}`)
  if (now.status === 'pending' && (now.checks_left ?? 0) > 5 - seen.judged)
    faults.push('a judged guess was lost')
  return faults.map((fault) => `${seen.id}: ${fault}`)
}

/** Starts verifications and checks, cancels and races them until the server dies, and notes what it was told. */
async function useUntilDead(server: ServerProcess, next: () => number, all: Seen[]): Promise<void> {
  try {
    for (;;) {
      const { status, body } = await server.start(numberOf(next()))
      if (status !== 201) throw new Error(`a start was answered ${status}`)
      const seen: Seen = {
        id: body.id ?? '',
        code: body.preview_code ?? '',
        judged: 0,
        approved: 0,
        ended: undefined,
      }
      all.push(seen)
      const way = all.length % 4
      const guesses = way === 0 ? 7 : way
      const note = ({ reason }: Wire) => {
        if (reason === 'wrong_code' || reason === 'approved') seen.judged++
        if (reason === 'approved') seen.approved++
        if (reason === 'approved' || reason === 'locked') seen.ended = reason
      }
      for (let n = 1; n <= guesses; n++) note((await server.check(seen.id, wrong(seen.code, n))).body)
      if (way === 3) {
        const { status: canceled } = await server.call('POST', `/v1/verifications/${seen.id}/cancel`)
        if (canceled === 200) seen.ended = 'canceled'
      } else {
        const raced = [1, 2, 3].map(async () => note((await server.check(seen.id, seen.code)).body))
        await Promise.all(raced)
      }
    }
  } catch (error) {
    // The server died, which is what this waits for; an answer that was not expected is a fault.
    if (error instanceof Error && error.message.startsWith('a start')) throw error
  }
}

test(
  `${KILLS} times kill -9 under load: every approval that was told stands, no code lives again, ≤ 5 judged and ≤ 1 approved each`,
  { timeout: LONG ? 1_800_000 : 120_000 },
  async () => {
    let server = await ServerProcess.start()
    const all: Seen[] = []
    const faults: string[] = []
    let number = 0
    let told = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const from = all.length
      const work = Array.from({ length: CLIENTS }, () => useUntilDead(server, () => number++, all))
      // At a random moment, but not before enough was told to be worth asking about again, however slow the machine.
      const enough = 10 + Math.floor(Math.random() * 40)
      while (all.slice(from).filter((seen) => seen.ended !== undefined).length < enough) await sleep(2)
      await sleep(Math.random() * 20)
      await server.kill()
      await Promise.all(work)
      server = await server.again()
      // Those of this life, and some of the lives before.
      const sample = [...all.slice(from), ...all.slice(0, from).filter((_, at) => at % KILLS === kill)]
      for (let at = 0; at < sample.length; at += 64) {
        await Promise.all(
          sample.slice(at, at + 64).map(async (seen) => {
            faults.push(...faultsOf(seen, await server.read(seen.id)))
            if (seen.ended === undefined) return
            // What had ended is ended for the right code too.
            const { body } = await server.check(seen.id, seen.code)
            if (body.valid !== false) faults.push(`${seen.id}: a code lived again`)
            told++
          }),
        )
      }
    }
    expect(faults).toEqual([])
    expect(told).toBeGreaterThanOrEqual(KILLS * 10)
    expect(all.filter((seen) => seen.ended === 'approved').length).toBeGreaterThan(KILLS)
    await server.stop()
    const db = new DatabaseSync(server.database, { readOnly: true })
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    const overruns = db
      .prepare('SELECT count(*) AS count FROM verifications WHERE guesses > guesses_max')
      .get()
    expect(overruns).toEqual({ count: 0 })
    db.close()
  },
)

test('kill -9 of one of two processes on one file leaves the other answering', async () => {
  const [first, second] = await ServerProcess.startSeveral(2)
  if (!first || !second) throw new Error('no server')
  const all: Seen[] = []
  let number = 0
  const work = Array.from({ length: CLIENTS }, () => useUntilDead(first, () => number++, all))
  await new Promise((resolve) => {
    setTimeout(resolve, 150)
  })
  const answers = Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const { status, body } = await second.start(numberOf(1_000_000 + n))
      return { status, reason: (await second.check(body.id ?? '', body.preview_code ?? '')).body.reason }
    }),
  )
  await first.kill()
  await Promise.all(work)
  expect(new Set((await answers).map(({ status, reason }) => `${status} ${reason}`))).toEqual(
    new Set(['201 approved']),
  )
  const faults = await Promise.all(all.map(async (seen) => faultsOf(seen, await second.read(seen.id))))
  expect(faults.flat()).toEqual([])
  await second.kill()
})
