import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Draft, Guess, Verdict, VerifyStore } from '../../src/verify/store.ts'
import type { Verification } from '../../src/verify/verification.ts'
import { makeId } from '../../src/primitives/ids.ts'
import { FakeClock } from '../fake-clock.ts'
import { planned } from './planned.ts'

/** A fresh, empty store on this clock; `reopen` closes it and opens the same data again, as a restart does. */
export type StoreFixture = {
  verifications: VerifyStore
  reopen(): Promise<VerifyStore>
  close(): Promise<void>
}

export const RIGHT = Buffer.alloc(32, 7)
export const WRONG = Buffer.alloc(32, 8)
const BUDGET = { name: 'wrong_checks_per_phone_day', limit: 20, windowSeconds: 86_400 }
export const guessOf = (id: string, digest: Buffer, changes: Partial<Guess> = {}): Guess => ({
  id,
  service: 'default',
  digests: [digest],
  budget: BUDGET,
  unlimited: [],
  ...changes,
})
const counted = () => ({ channel: 'sms' as const, cooldownSeconds: 60, send: planned({ cause: 'resend' }) })

export function draft(clock: FakeClock, changes: Partial<Draft> = {}): Draft {
  return {
    id: makeId('ver_', clock.now()),
    service: 'default',
    to: '+14155552671',
    country: 'US',
    channel: 'sms',
    purpose: 'verify',
    locale: null,
    status: 'pending',
    keyId: 'k1',
    digest: RIGHT,
    codeLength: 6,
    guessesMax: 5,
    sendsMax: 5,
    ttlSeconds: 600,
    cooldownSeconds: 30,
    nonce: null,
    metadata: null,
    terms: null,
    decision: 'allow',
    ...changes,
  }
}

function verificationOf(verdict: Verdict): Verification | undefined {
  return verdict.reason === 'budget_spent' ? undefined : verdict.verification
}

/** What every verify store decides, races and restart included. */
export function describeVerifyStore(name: string, make: (clock: FakeClock) => Promise<StoreFixture>): void {
  describe(`verify store: ${name}`, () => {
    let clock: FakeClock
    let fixture: StoreFixture
    let store: VerifyStore

    const open = async (changes: Partial<Draft> = {}) =>
      (await store.open(draft(clock, changes))).verification
    const guess = async (id: string, digest = WRONG, changes: Partial<Guess> = {}) => {
      const verdict = await store.judge(guessOf(id, digest, changes))
      if (!verdict) throw new Error('no such verification')
      return verdict
    }
    const pending = async (to: string) => {
      const { current } = await store.situation('default', to, 'verify')
      return current?.status === 'pending' ? current : undefined
    }

    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
      store = fixture.verifications
    })
    afterEach(() => fixture.close())

    test('opens a verification complete, and reads it back as it was', async () => {
      const made = await open({ metadata: { order: '7' }, nonce: 'n', locale: 'pt-BR' })
      expect(made).toMatchObject({
        status: 'pending',
        guesses: 0,
        sends: 1,
        createdAt: clock.now(),
        expiresAt: clock.now() + 600_000,
        resendAt: clock.now() + 30_000,
        decidedAt: null,
        metadata: { order: '7' },
        nonce: 'n',
      })
      expect(await store.find(made.id)).toEqual(made)
      expect(await pending(made.to)).toEqual(made)
    })

    test('200 concurrent opens for one number: one opens, all see it', async () => {
      const all = await Promise.all(Array.from({ length: 200 }, () => store.open(draft(clock))))
      expect(all.filter((one) => one.opened)).toHaveLength(1)
      expect(new Set(all.map((one) => one.verification.id)).size).toBe(1)
    })

    test('another service, purpose or number has a verification of its own', async () => {
      const ids = new Set<string>()
      for (const changes of [{}, { service: 'b' }, { purpose: 'login' }, { to: '+14155552672' }] as const) {
        ids.add((await open(changes)).id)
      }
      expect(ids.size).toBe(4)
    })

    test('R4: of 1,000 concurrent right guesses exactly one approves', async () => {
      const { id } = await open()
      const all = await Promise.all(Array.from({ length: 1000 }, () => guess(id, RIGHT)))
      expect(all.filter((verdict) => verdict?.reason === 'approved')).toHaveLength(1)
      expect(all.filter((verdict) => verdict?.reason === 'already_used')).toHaveLength(999)
    })

    test('R3: of 1,000 concurrent wrong guesses exactly 5 are judged', async () => {
      const { id } = await open()
      const all = await Promise.all(Array.from({ length: 1000 }, () => guess(id)))
      expect(all.filter((verdict) => verdict?.judged)).toHaveLength(5)
      expect(all.filter((verdict) => verdict?.reason === 'locked')).toHaveLength(995)
      expect(await store.find(id)).toMatchObject({ status: 'locked', guesses: 5 })
    })

    test('R5: 499 wrong and 1 right at once: at most 5 judged, at most 1 approved, never locked and approved', async () => {
      const { id } = await open()
      const right = Math.floor(Math.random() * 10)
      const all = await Promise.all(
        Array.from({ length: 500 }, (_, at) => guess(id, at === right ? RIGHT : WRONG)),
      )
      const judged = all.filter((verdict) => verdict?.judged)
      const approved = all.filter((verdict) => verdict?.reason === 'approved')
      expect(judged.length).toBeLessThanOrEqual(5)
      expect(approved.length).toBeLessThanOrEqual(1)
      const { status } = (await store.find(id)) ?? {}
      expect(status).toBe(approved.length === 1 ? 'approved' : 'locked')
    })

    test('R6: the right code after the fifth wrong one is refused like any sixth guess', async () => {
      const { id } = await open()
      for (let i = 0; i < 5; i++) await guess(id)
      const right = await guess(id, RIGHT)
      const wrong = await guess(id)
      expect(right).toEqual(wrong)
      expect(right).toMatchObject({ judged: false, reason: 'locked' })
    })

    test('R7: a resend keeps the guesses', async () => {
      const { id } = await open()
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 4; i++) await guess(id)
        clock.advance(120)
        await store.resend(id, counted())
      }
      expect(await store.find(id)).toMatchObject({ status: 'locked', guesses: 5 })
    })

    test('R8, R9: the number’s budget survives cancel, expiry and new verifications over all services and purposes', async () => {
      let judged = 0
      const purposes = ['verify', 'login', 'reset'] as const
      for (let round = 0; round < 30; round++) {
        const made = await open({
          service: `s${round % 3}`,
          ...(purposes[round % 3] ? { purpose: purposes[round % 3] ?? 'verify' } : {}),
        })
        for (let i = 0; i < 4; i++)
          if ((await guess(made.id, WRONG, { service: made.service })).judged) judged++
        if (round % 2 === 0) await store.cancel(made.id)
        else clock.advance(601)
      }
      expect(judged).toBe(20)
      const last = await open({ service: 'last' })
      expect(await guess(last.id, RIGHT, { service: 'last' })).toMatchObject({
        judged: false,
        reason: 'budget_spent',
      })
      expect(await store.find(last.id)).toMatchObject({ status: 'pending', guesses: 0 })
    })

    test('a right guess costs the number’s budget nothing', async () => {
      const { id } = await open()
      await guess(id, RIGHT)
      expect(await store.budget('+14155552671', BUDGET)).toMatchObject({ remaining: 20 })
    })

    test('R12: right until the last millisecond, expired from it on, with nothing swept', async () => {
      const { id } = await open()
      clock.advanceMs(599_900)
      const other = await open({ to: '+14155552672', ttlSeconds: 600 })
      expect(await guess(id, RIGHT)).toMatchObject({ reason: 'approved' })
      clock.advanceMs(600_100)
      expect(await guess(other.id, RIGHT)).toMatchObject({ judged: false, reason: 'expired' })
      expect(await store.find(other.id)).toMatchObject({ status: 'expired', decidedAt: other.expiresAt })
      expect(await pending(other.to)).toBeUndefined()
    })

    test('F22: with the clock set back, a number still has one pending verification, and what expired stays so', async () => {
      const first = await open()
      clock.advance(601)
      expect(await guess(first.id, RIGHT)).toMatchObject({ reason: 'expired' })
      await open()
      await store.cancel((await pending(first.to))?.id ?? '')
      clock.advance(-500)
      const opened = await store.open(draft(clock))
      expect(opened.opened).toBe(true)
      expect(await store.open(draft(clock))).toEqual({ opened: false, verification: opened.verification })
      expect((await pending(first.to))?.id).toBe(opened.verification.id)
      expect(await guess(first.id, RIGHT)).toMatchObject({ reason: 'expired' })
    })

    test('an expired one makes room for a new one', async () => {
      const first = await open()
      clock.advance(600)
      const second = await store.open(draft(clock))
      expect(second.opened).toBe(true)
      expect(second.verification.id).not.toBe(first.id)
    })

    test('R13: an approved code is used for ever, also after a restart', async () => {
      const { id } = await open()
      await guess(id, RIGHT)
      expect(await guess(id, RIGHT)).toMatchObject({ judged: false, reason: 'already_used' })
      store = await fixture.reopen()
      expect(await guess(id, RIGHT)).toMatchObject({ judged: false, reason: 'already_used' })
    })

    test('guesses, budget and sends survive a restart', async () => {
      const { id } = await open()
      await guess(id)
      clock.advance(31)
      await store.resend(id, counted())
      store = await fixture.reopen()
      expect(await store.find(id)).toMatchObject({ guesses: 1, sends: 2 })
      expect(await store.budget('+14155552671', BUDGET)).toMatchObject({ remaining: 19 })
    })

    test('A10: a second end of the same verification changes nothing and says so', async () => {
      const { id } = await open()
      const [a, b] = await Promise.all([store.cancel(id), store.cancel(id)])
      expect([a?.canceled, b?.canceled].sort()).toEqual([false, true])
      expect(await guess(id, RIGHT)).toMatchObject({ judged: false, reason: 'canceled' })
    })

    test('approve and cancel at once: exactly one wins', async () => {
      for (let round = 0; round < 20; round++) {
        const verification = await open({ to: `+1415555${1000 + round}` })
        // Each comes first in half of the rounds.
        const judge = () => guess(verification.id, RIGHT)
        const cancel = () => store.cancel(verification.id)
        const [verdict, { canceled }] =
          round % 2 === 0
            ? await Promise.all([judge(), cancel()])
            : await Promise.all([cancel(), judge()]).then(([ended, judged]) => [judged, ended] as const)
        expect([verdict.reason === 'approved', canceled].filter(Boolean)).toHaveLength(1)
      }
    })

    test('of 100 concurrent resends one is counted; the others are told why', async () => {
      const { id } = await open()
      clock.advance(30)
      const all = await Promise.all(Array.from({ length: 100 }, () => store.resend(id, counted())))
      expect(all.filter((one) => one.refused === null)).toHaveLength(1)
      expect(all.filter((one) => one.refused === 'too_soon')).toHaveLength(99)
      expect(await store.find(id)).toMatchObject({ sends: 2, resendAt: clock.now() + 60_000 })
    })

    test('sends end at their maximum; a retracted send is not counted and may be tried at once', async () => {
      const { id } = await open({ sendsMax: 2 })
      clock.advance(30)
      await store.resend(id, counted())
      clock.advance(60)
      expect((await store.resend(id, counted())).refused).toBe('no_sends_left')
      await store.retract(id)
      expect((await store.resend(id, counted())).refused).toBeNull()
    })

    test('an early resend waits for nobody, and is counted like any other', async () => {
      const { id } = await open({ sendsMax: 2 })
      expect((await store.resend(id, counted())).refused).toBe('too_soon')
      const early = await store.resend(id, { ...counted(), early: true })
      expect(early.refused).toBeNull()
      expect(early.verification).toMatchObject({ sends: 2, resendAt: clock.now() + 60_000 })
      expect((await store.resend(id, { ...counted(), early: true })).refused).toBe('no_sends_left')
      await store.cancel(id)
      expect((await store.resend(id, { ...counted(), early: true })).refused).toBe('ended')
    })

    test('of 100 concurrent approvals one approves; the guess goes back to the number once', async () => {
      const { id, to } = await open()
      for (let i = 0; i < 3; i++) await guess(id)
      clock.advance(1)
      const all = await Promise.all(Array.from({ length: 100 }, () => store.approve(id)))
      expect(all.filter(({ approved }) => approved)).toHaveLength(1)
      expect(new Set(all.map(({ verification }) => verification.status))).toEqual(new Set(['approved']))
      expect(await store.find(id)).toMatchObject({ status: 'approved', guesses: 3, decidedAt: clock.now() })
      expect(await store.budget(to, BUDGET)).toMatchObject({ remaining: 18 })
      expect(await guess(id, RIGHT)).toMatchObject({ judged: false, reason: 'already_used' })
    })

    test('the newest guess goes back, and the others stay for their time', async () => {
      const { id, to } = await open()
      await guess(id)
      clock.advance(10)
      await guess(id)
      await store.approve(id)
      expect(await store.budget(to, BUDGET)).toEqual({
        remaining: 19,
        resetsAt: clock.now() - 10_000 + 86_400_000,
      })
    })

    test('what the last guess has locked is approved all the same, also when its time is over by then', async () => {
      const first = await open({ guessesMax: 1 })
      await guess(first.id)
      expect(await store.find(first.id)).toMatchObject({ status: 'locked' })
      expect(await store.approve(first.id)).toMatchObject({
        approved: true,
        verification: { id: first.id, status: 'approved', decidedAt: clock.now() },
      })
      expect((await store.latestApproved('default', first.to))?.id).toBe(first.id)
      const second = await open()
      await guess(second.id)
      clock.advance(601)
      expect(await store.approve(second.id)).toMatchObject({ approved: true })
      expect(await store.budget(first.to, BUDGET)).toMatchObject({ remaining: 20 })
      expect((await store.open(draft(clock))).opened).toBe(true)
    })

    test('what has ended otherwise is not approved, and no guess goes back', async () => {
      const to = '+14155552671'
      const canceled = await open()
      await guess(canceled.id)
      await store.cancel(canceled.id)
      const failed = await open()
      await store.fail(failed.id)
      const blocked = await open({ status: 'blocked', decision: 'block:premium_rate' })
      const expired = await open()
      clock.advance(601)
      await guess(expired.id)
      const statuses: string[] = []
      for (const { id } of [canceled, failed, blocked, expired]) {
        const { approved, verification } = await store.approve(id)
        expect(approved).toBe(false)
        statuses.push(verification.status)
      }
      expect(statuses).toEqual(['canceled', 'failed', 'blocked', 'expired'])
      expect(await store.budget(to, BUDGET)).toMatchObject({ remaining: 19 })
      expect(await store.latestApproved('default', to)).toBeUndefined()
    })

    test('a number without a budget gets none back', async () => {
      const { id, to } = await open()
      await guess(id, WRONG, { unlimited: [to] })
      expect(await store.approve(id)).toMatchObject({ approved: true })
      expect(await store.budget(to, BUDGET)).toMatchObject({ remaining: 20 })
    })

    test('of 30 who accept one at once one does; it counts as approved from then on, at no guess of the number’s', async () => {
      const { id, to } = await open()
      await guess(id)
      clock.advance(1)
      const all = await Promise.all(Array.from({ length: 30 }, () => store.accept(id)))
      expect(all.filter(({ accepted }) => accepted)).toHaveLength(1)
      expect(new Set(all.map(({ verification }) => verification.status))).toEqual(new Set(['approved']))
      expect(await store.find(id)).toMatchObject({ status: 'approved', guesses: 1, decidedAt: clock.now() })
      expect((await store.latestApproved('default', to))?.id).toBe(id)
      // A guess that was wrong stays so, whoever else says that the number is the right one.
      expect(await store.budget(to, BUDGET)).toMatchObject({ remaining: 19 })
      expect(await guess(id, RIGHT)).toMatchObject({ judged: false, reason: 'already_used' })
      expect((await store.open(draft(clock))).opened).toBe(true)
    })

    test('what has ended otherwise is not accepted: locked, canceled, failed, blocked, or over by a millisecond', async () => {
      const to = '+14155552671'
      const locked = await open({ guessesMax: 1 })
      await guess(locked.id)
      const canceled = await open()
      await store.cancel(canceled.id)
      const failed = await open()
      await store.fail(failed.id)
      const blocked = await open({ status: 'blocked', decision: 'block:premium_rate' })
      const expired = await open()
      clock.advance(600)
      const statuses: string[] = []
      for (const { id } of [locked, canceled, failed, blocked, expired]) {
        const { accepted, verification } = await store.accept(id)
        expect(accepted).toBe(false)
        expect(await store.find(id)).toEqual(verification)
        statuses.push(verification.status)
      }
      expect(statuses).toEqual(['locked', 'canceled', 'failed', 'blocked', 'expired'])
      expect(await store.latestApproved('default', to)).toBeUndefined()
      expect(await store.budget(to, BUDGET)).toMatchObject({ remaining: 19 })
    })

    test('accept, a guess and cancel at once: exactly one wins', async () => {
      for (let round = 0; round < 12; round++) {
        const { id } = await open({ to: `+1415555${1000 + round}` })
        const ways = [
          async () => (await store.accept(id)).accepted,
          async () => (await guess(id, RIGHT)).reason === 'approved',
          async () => (await store.cancel(id)).canceled,
        ]
        // Each comes first in a third of the rounds.
        const turned = [...ways.slice(round % 3), ...ways.slice(0, round % 3)]
        const won = await Promise.all(turned.map((way) => way()))
        expect(won.filter(Boolean)).toHaveLength(1)
      }
    })

    test('what its tenant has said of it is kept, and told by every verb', async () => {
      const terms = { friendlyName: 'Äcme "1"', amount: '€39.99', payee: 'Shop\n', substitutions: { a: 'é' } }
      const made = await open({ terms })
      expect(made.terms).toEqual(terms)
      const found = await store.open(draft(clock))
      expect(found).toMatchObject({ opened: false, verification: { id: made.id } })
      clock.advance(30)
      const told = [
        found.verification,
        await store.find(made.id),
        await store.findByPrefix(made.id.slice(0, 36)),
        await store.latest('default', made.to),
        (await store.situation('default', made.to, 'verify')).current,
        (await store.list({ service: 'default', limit: 1 })).data[0],
        (await store.resend(made.id, counted())).verification,
        (await store.resend(made.id, counted())).verification,
        verificationOf(await guess(made.id)),
        verificationOf(await guess(made.id, RIGHT)),
        verificationOf(await guess(made.id, RIGHT)),
        (await store.cancel(made.id)).verification,
        (await store.accept(made.id)).verification,
        await store.latestApproved('default', made.to),
      ]
      expect(told.map((one) => one?.terms)).toEqual(told.map(() => terms))
      store = await fixture.reopen()
      expect((await store.find(made.id))?.terms).toEqual(terms)
      expect((await open()).terms).toBeNull()
    })

    test('a guess is right under any secret that is known', async () => {
      const { id } = await open()
      expect(await guess(id, WRONG, { digests: [WRONG, randomBytes(32)] })).toMatchObject({
        reason: 'wrong_code',
      })
      expect(await guess(id, WRONG, { digests: [WRONG, RIGHT] })).toMatchObject({ reason: 'approved' })
    })

    test('another service’s verification is none, and its guesses are not spent', async () => {
      const { id } = await open()
      expect(await store.judge(guessOf(id, RIGHT, { service: 'other' }))).toBeUndefined()
      expect(await store.judge(guessOf('ver_none', RIGHT))).toBeUndefined()
      expect(await store.find(id)).toMatchObject({ status: 'pending', guesses: 0 })
    })

    test('a number without a budget spends none', async () => {
      const { id, to } = await open()
      expect(await guess(id, WRONG, { unlimited: [to] })).toMatchObject({ reason: 'wrong_code' })
      expect(await store.budget(to, BUDGET)).toMatchObject({ remaining: 20 })
    })

    test('the situation of a number: what is pending, else what was last, and the newest approval over all', async () => {
      const to = '+14155552671'
      expect(await store.situation('default', to, 'verify')).toEqual({
        current: undefined,
        approvedAt: undefined,
      })
      const first = await open()
      expect(await store.situation('default', to, 'verify')).toEqual({
        current: first,
        approvedAt: undefined,
      })
      await guess(first.id, RIGHT)
      const approvedAt = clock.now()
      clock.advance(1)
      expect(await store.situation('default', to, 'verify')).toMatchObject({
        current: { id: first.id },
        approvedAt,
      })
      expect(await store.situation('other', to, 'login')).toEqual({ current: undefined, approvedAt })
      const second = await open()
      expect(await store.situation('default', to, 'verify')).toEqual({
        current: second,
        approvedAt: undefined,
      })
    })

    test('R5, R11: a guess is for one id: the same digest on another is wrong', async () => {
      await open()
      const other = await open({ purpose: 'reset', digest: randomBytes(32) })
      expect(await guess(other.id, RIGHT)).toMatchObject({ reason: 'wrong_code' })
    })

    test('A45: an empty digest matches nothing', async () => {
      const { id } = await open()
      expect(await guess(id, Buffer.alloc(0))).toMatchObject({ reason: 'wrong_code' })
    })

    test('a blocked one is kept, never pending, and does not stand in the way', async () => {
      const blocked = await open({ status: 'blocked', decision: 'block:premium_rate' })
      expect(blocked).toMatchObject({ status: 'blocked', sends: 0, decidedAt: clock.now() })
      expect(await guess(blocked.id, RIGHT)).toMatchObject({ judged: false, reason: 'blocked' })
      expect((await store.open(draft(clock))).opened).toBe(true)
    })

    test('failed: nothing was sent', async () => {
      const { id } = await open()
      expect(await store.fail(id)).toMatchObject({ status: 'failed' })
      expect(await guess(id, RIGHT)).toMatchObject({ judged: false, reason: 'not_sent' })
    })

    test('no such verification is undefined, not an error', async () => {
      expect(await store.find('ver_none')).toBeUndefined()
    })

    test('finds the one whose id begins so, of whatever service, and none of those beside it', async () => {
      const made = [await open(), await open({ service: 'b' }), await open({ to: '+14155552672' })]
      for (const one of made) {
        for (const length of ['ver_'.length + 30, 'ver_'.length + 32, undefined])
          expect(await store.findByPrefix(one.id.slice(0, length))).toEqual(one)
        const last = one.id.at(-1) === '0' ? '1' : '0'
        expect(await store.findByPrefix(one.id.slice(0, -1) + last)).toBeUndefined()
      }
      expect(await store.findByPrefix(`ver_${'0'.repeat(30)}`)).toBeUndefined()
      expect(await store.findByPrefix(`ver_${'f'.repeat(30)}`)).toBeUndefined()
      clock.advance(600)
      expect(await store.findByPrefix(made[0]!.id.slice(0, -12))).toMatchObject({ status: 'expired' })
    })

    test('lists newest first, by number, by status, page by page', async () => {
      const ids: string[] = []
      for (let i = 0; i < 7; i++) {
        clock.advance(1)
        ids.unshift((await open({ to: `+1415555${2000 + i}` })).id)
      }
      await store.cancel(ids[2] ?? '')
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<VerifyStore['list']>> = await store.list({
          service: 'default',
          limit: 3,
          ...(cursor === null ? {} : { cursor }),
        })
        seen.push(...page.data.map((one) => one.id))
        cursor = page.nextCursor
      } while (cursor !== null)
      expect(seen).toEqual(ids)
      const canceled = await store.list({ service: 'default', limit: 3, status: 'canceled' })
      expect(canceled.data.map((one) => one.id)).toEqual([ids[2]])
      const byNumber = await store.list({ service: 'default', limit: 3, to: '+14155552000' })
      expect(byNumber.data).toHaveLength(1)
      expect((await store.list({ service: 'other', limit: 3 })).data).toEqual([])
    })

    test('latest and latestApproved look at one number of one service', async () => {
      const first = await open()
      await guess(first.id, RIGHT)
      clock.advance(1)
      const second = await open()
      expect((await store.latest('default', first.to))?.id).toBe(second.id)
      expect((await store.situation('default', first.to, 'login')).current).toBeUndefined()
      expect((await store.latestApproved('default', first.to))?.id).toBe(first.id)
      expect(await store.latestApproved('other', first.to)).toBeUndefined()
    })

    describe('claims', () => {
      const LIFE = { leaseSeconds: 30, keepSeconds: 86_400 }

      test('R41: of 100 concurrent claims one is mine, the others wait; then all get the answer', async () => {
        const claims = await Promise.all(Array.from({ length: 100 }, () => store.claim('k', 'f', LIFE)))
        expect(claims.filter((claim) => claim.state === 'mine')).toHaveLength(1)
        expect(claims.filter((claim) => claim.state === 'busy')).toHaveLength(99)
        await store.settleClaim('k', '{"a":1}')
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'done', answer: '{"a":1}' })
        expect(await store.claim('k', 'other', LIFE)).toEqual({ state: 'conflict' })
      })

      test('a released claim may be made again; an answered one may not', async () => {
        await store.claim('k', 'f', LIFE)
        await store.releaseClaim('k', { unlessOpened: false })
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'mine' })
        await store.settleClaim('k', '1')
        await store.releaseClaim('k', { unlessOpened: false })
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'done', answer: '1' })
      })

      test('a claim whose process died is taken over after its lease, once', async () => {
        await store.claim('k', 'f', LIFE)
        clock.advance(31)
        const claims = await Promise.all([store.claim('k', 'f', LIFE), store.claim('k', 'f', LIFE)])
        expect(claims.map((claim) => claim.state).sort()).toEqual(['busy', 'mine'])
      })

      test('F19: one that died after opening tells what it had opened', async () => {
        await store.claim('k', 'f', LIFE)
        const { id } = await open({ claimKey: 'k' })
        clock.advance(31)
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'opened', verificationId: id })
      })

      test('one that has opened is kept where that is asked, and whoever comes after its lease learns of it', async () => {
        await store.claim('k', 'f', LIFE)
        const { id } = await open({ claimKey: 'k' })
        await store.releaseClaim('k', { unlessOpened: true })
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'busy' })
        clock.advance(31)
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'opened', verificationId: id })
        await store.releaseClaim('k', { unlessOpened: false })
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'mine' })
        await store.releaseClaim('k', { unlessOpened: true })
        expect(await store.claim('k', 'f', LIFE)).toEqual({ state: 'mine' })
      })

      test('a claim is forgotten after its time, swept or not', async () => {
        await store.claim('k', 'f', LIFE)
        await store.settleClaim('k', '1')
        clock.advance(86_400)
        expect(await store.claim('k', 'other', LIFE)).toEqual({ state: 'mine' })
      })
    })
  })
}
