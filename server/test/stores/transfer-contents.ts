import type { Counter } from '../../src/limits/counters.ts'
import type { SendOutcome } from '../../src/messaging/store.ts'
import { makeId } from '../../src/primitives/ids.ts'
import type { NewRecord } from '../../src/services/records.ts'
import { makeSid } from '../../src/services/sids.ts'
import type { Store } from '../../src/stores/store.ts'
import type { Draft } from '../../src/verify/store.ts'
import { AuthWorld } from '../conformance/auth/world.ts'
import { planned as plannedOf } from '../conformance/planned.ts'
import { draft } from '../conformance/verify-store.ts'
import type { FakeClock } from '../fake-clock.ts'

export const RIGHT = Buffer.alloc(32, 7)
export const WRONG = Buffer.alloc(32, 8)
export const BUDGET = { name: 'wrong_checks_per_phone_day', limit: 4, windowSeconds: 86_400 }
export const LIFE = { leaseSeconds: 30, keepSeconds: 86_400 }
export const FIVE: Counter = { key: 'sends:five', rules: [{ name: 'five', limit: 5, windowSeconds: 3600 }] }
export const GIVEN: Counter = { key: 'sends:given', rules: [{ name: 'one', limit: 1, windowSeconds: 3600 }] }
const COUNTERS = [FIVE, GIVEN]

/** A number for every fate. */
export const TO = {
  guessed: '+14155552671',
  sent: '+14155552672',
  spent: '+14155552673',
  locked: '+14155552674',
  approved: '+14155552675',
  canceled: '+14155552676',
  failed: '+14155552677',
  blocked: '+14155552678',
  late: '+14155552679',
  tied: '+14155552680',
  over: '+14155552681',
  other: '+14155552682',
}

const ACCEPTED: SendOutcome = {
  status: 'accepted',
  error: null,
  ref: 'SM1',
  vendorCode: null,
  price: { amount: '0.0079', currency: 'USD' },
  watchSeconds: null,
}
const REFUSED: SendOutcome = {
  status: 'refused',
  error: 'unavailable',
  ref: null,
  vendorCode: '20429',
  price: null,
  watchSeconds: null,
}
const UNKNOWN: SendOutcome = { ...REFUSED, status: 'unknown', error: 'unknown', vendorCode: null }

export type Fate = keyof typeof TO

/** What was made, by what it is for. */
export type Made = {
  readonly ids: Readonly<Record<Fate, string>>
  readonly messages: readonly string[]
  readonly keys: readonly { readonly id: string; readonly hash: string }[]
  /** Sends that a process left when it died. */
  readonly left: readonly string[]
  /** A send that was delivered, by its ref, one whose answer was lost, and one that a receipt waits for. */
  readonly told: { readonly ref: string; readonly lost: string; readonly early: string }
  readonly people: People
  readonly kept: Kept
}

/** What a tenant keeps, by its ids: a service, a limit of it and what that is made of, and two that have their time. */
export type Kept = Readonly<Record<'service' | 'limit' | 'bucket' | 'event' | 'challenge', string>>

/** The account of the service, and the name of its limit. */
export const ACCOUNT = `AC${'0'.repeat(31)}1`
export const LIMIT = 'é "x"'

/** Who signs in, and with what. */
export type People = {
  /** One with everything: a session of which the token with generation 0 was just used, and one by a password. */
  readonly ann: { readonly id: string; readonly session: string; readonly byPassword: string }
  /** One who is shut. */
  readonly bob: { readonly id: string; readonly phone: string }
  /** One who had another number before. */
  readonly cee: { readonly id: string; readonly from: string; readonly undo: string }
  /** One whose number is Cee's by now. */
  readonly dan: { readonly id: string }
  /** One with a second factor and a device. */
  readonly fay: { readonly id: string; readonly phone: string }
  /** The id of two tickets of different kinds. */
  readonly ticket: string
}

let sendNumber = 0
export const planned = () =>
  plannedOf({ id: `snd_${++sendNumber}`, cause: 'resend', price: { amount: '0.01', currency: 'EUR' } })

/** Judges a guess; gives its reason. */
export async function guess(store: Store, id: string, digest = WRONG): Promise<string | undefined> {
  const budget = BUDGET
  const all = { id, service: 'default', digests: [digest], budget, unlimited: [] }
  return (await store.verifications.judge(all))?.reason
}

/** Fills a store with something of every kind, by the verbs of a server. */
export async function fill(store: Store, clock: FakeClock): Promise<Made> {
  const { verifications, messaging } = store
  const people = await fillPeople(worldOn(store, clock))
  const ids = {} as Record<Fate, string>
  const open = async (fate: Fate, changes: Partial<Draft> = {}) => {
    clock.advanceMs(3)
    const { verification } = await verifications.open(draft(clock, { to: TO[fate], ...changes }))
    ids[fate] = verification.id
    return verification.id
  }
  const keys = [
    { id: makeId('key_', clock.now()), hash: 'aa'.repeat(32), kind: 'secret', origins: [] },
    {
      id: makeId('key_', clock.now() + 1),
      hash: 'bb'.repeat(32),
      kind: 'publishable',
      origins: ['https://é'],
    },
  ] as const
  for (const [at, key] of keys.entries()) {
    const revokedAt = at === 0 ? null : clock.now()
    await store.keys.insert({
      ...key,
      service: 'default',
      hint: 'sk_0123456',
      createdAt: clock.now(),
      revokedAt,
    })
  }

  const metadata = { note: 'é "x"\n' }
  const terms = { friendlyName: 'é "x"', amount: '€1', payee: 'Acme' }
  const settled = planned()
  const guessed = { send: settled, metadata, terms, nonce: 'n', locale: 'pt-BR', service: 'default' } as const
  await messaging.settleSend({ owner: await open('guessed', guessed), id: settled.id, fence: 1 }, ACCEPTED)
  await guess(store, ids.guessed)
  await guess(store, ids.guessed)

  // Two that were refused, and a third on its way when the process died.
  const [first, second, third, last] = [planned(), planned(), planned(), planned()]
  const owner = await open('sent', { send: first })
  for (const [send, next] of [
    [first, second],
    [second, third],
  ] as const) {
    await messaging.settleSend({ owner, id: send.id, fence: 1 }, REFUSED)
    await messaging.recordSend(owner, next)
  }

  await open('spent')
  for (let n = 0; n < BUDGET.limit; n++) await guess(store, ids.spent)
  await open('locked', { guessesMax: 3 })
  for (let n = 0; n < 3; n++) await guess(store, ids.locked)
  await open('approved')
  await guess(store, ids.approved, RIGHT)
  await verifications.cancel(await open('canceled', { send: last, sendsMax: 1 }))
  await messaging.settleSend({ owner: ids.canceled, id: last.id, fence: 1 }, ACCEPTED)
  await verifications.fail(await open('failed', { service: 'other' }))
  await open('blocked', { status: 'blocked', decision: 'block:country' })
  await open('over', { ttlSeconds: 1 })

  await verifications.claim('answered', 'f', LIFE)
  await verifications.settleClaim('answered', '{"id":1}')
  // Given up and claimed again: what was opened under it before is not its own.
  await verifications.claim('left', 'f', LIFE)
  await open('other', { claimKey: 'left' })
  await verifications.releaseClaim('left', { unlessOpened: false })
  clock.advanceMs(3)
  await verifications.claim('left', 'f', LIFE)
  await verifications.claim('opened', 'f', LIFE)
  await open('tied', { claimKey: 'opened' })
  clock.advance(LIFE.leaseSeconds + 1)
  await verifications.claim('busy', 'f', LIFE)

  const messages: string[] = []
  const left = [third.id]
  for (let n = 0; n < 5; n++) {
    const send = planned()
    const id = makeId('msg_', clock.now() + n)
    const rest = { to: TO.guessed, channel: 'sms', template: n === 0 ? 'notice' : null, segments: 1 } as const
    await messaging.openMessage({ id, service: 'default', ...rest }, send)
    if (n === 3) left.push(send.id)
    else await messaging.settleSend({ owner: id, id: send.id, fence: 1 }, ACCEPTED)
    messages.push(id)
  }
  await open('late', { send: planned(), sendsMax: 2, ttlSeconds: 3600, guessesMax: 3 })
  await guess(store, ids.late)
  left.push(`snd_${sendNumber}`)

  // One that was delivered, one that was not, and one whose answer was lost.
  const told = { ref: 'SMtold', lost: '', early: third.id }
  for (const [ref, outcome] of [
    [told.ref, ACCEPTED],
    ['SMundelivered', ACCEPTED],
    [null, UNKNOWN],
  ] as const) {
    const send = planned()
    await messaging.recordSend(ids.approved, send)
    const watched = { ...outcome, ref, watchSeconds: ref === null ? 3600 : null }
    await messaging.settleSend({ owner: ids.approved, id: send.id, fence: 1 }, watched)
    if (ref === null) told.lost = send.id
  }
  const price = { amount: '0.0083', currency: 'USD' }
  const lost = { progress: 'undelivered', why: 'blocked', code: '30007' } as const
  await messaging.tell('twilio', { ref: told.ref, progress: 'sent' })
  await messaging.tell('twilio', { ref: told.ref, progress: 'delivered', price })
  await messaging.tell('twilio', { ref: 'SMundelivered', ...lost })
  // Two that wait for their sends.
  await messaging.tell('twilio', { ref: 'SMearly', send: third.id, at: clock.now() - 5, price, ...lost })
  await messaging.tell('twilio', { ref: 'SMnever', progress: 'delivered' })

  // Two in one millisecond, one of which came to nothing.
  for (let n = 0; n < 3; n++) await store.counters.take([FIVE])
  const given = await store.counters.take([FIVE, GIVEN])
  if (given.ok) await store.counters.give(given)
  return { ids, messages, keys, left, told, people, kept: await fillRecords(store, clock) }
}

/** What a tenant keeps: of every form, and one that was changed. */
async function fillRecords({ records }: Store, clock: FakeClock): Promise<Kept> {
  const insert = async (
    letters: string,
    record: Omit<NewRecord, 'id' | 'body' | 'name'> & { name?: string },
  ) => {
    clock.advanceMs(3)
    const id = makeSid(letters, clock.now())
    await records.insert({ name: null, body: '{"a":"é \\"x\\"\\n"}', ...record, id })
    return id
  }
  const service = await insert('VA', { kind: 'service', parent: ACCOUNT })
  const limit = await insert('RK', { kind: 'rate_limit', parent: service, name: LIMIT })
  const bucket = await insert('BL', { kind: 'bucket', parent: limit })
  clock.advance(1)
  await records.change(bucket, 1, { body: '{"max":2}' })
  const event = await insert('EV', { kind: 'event', parent: service, dueInSeconds: 60 })
  const challenge = await insert('YC', { kind: 'challenge', parent: service, ttlSeconds: 300 })
  return { service, limit, bucket, event, challenge }
}

/** What people do on a store, by the helpers of the conformance suite. */
export function worldOn(store: Store, clock: FakeClock): AuthWorld {
  const world = new AuthWorld()
  world.begin(clock, { auth: store.auth, other: store.auth, sweep: store.sweep, close: store.close })
  return world
}

async function fillPeople(world: AuthWorld): Promise<People> {
  const { clock, store } = world
  const newUser = { email: 'ann@example.com', name: 'Ann "é"\n', passwordHash: '$argon2id$1' }
  const ann = await world.someone(newUser)
  const byPassword = await world.another(ann.user.id, newUser.passwordHash, { amr: ['sms', 'pwd'] })
  const bob = await world.someone()
  await store.setStatus(bob.user.id, 'disabled', world.event('user.disabled'))
  const [cee, dan] = [await world.someone({ email: 'cee@example.com' }), await world.someone()]
  const fay = await world.someone({ passwordHash: '$argon2id$2' })
  clock.advance(60)
  const session = world.newSession({ amr: ['pwd', 'otp', 'mfa'], withFactor: true })
  const events = [world.event('factor.enabled'), world.event('session.started')]
  const factors = { secondFactors: '{"app":"é \\"x\\""}', devices: '[{"id":"dev_é"}]' }
  await world.alter(fay.user.id, { ...factors, session, events })
  const change = await world.change(cee.user.id, dan.phone, cee.session.id)
  await store.changePhone(change)
  const ticket = world.ticket({ kind: 'registration', data: { email: 'é', name: null } })
  await store.putTicket(ticket, 600)
  await store.putTicket({ ...ticket, kind: 'reset', userId: ann.user.id, data: {} }, 600)
  const by = { actor: 'admin', key: 'key_1', address: '2001:db8::1', agent: 'é "x"' } as const
  const data = { reason: 'wrong_password' }
  await store.record({ ...world.event('login.failed', { by, data }), userId: ann.user.id })
  const nobody = { actor: 'anonymous', address: null, agent: null } as const
  await store.record({ ...world.event('login.failed', { by: nobody }), userId: null })
  await store.rotate(world.rotation(ann.session.id, 0, { address: '192.0.2.8' }))
  return {
    ann: { id: ann.user.id, session: ann.session.id, byPassword: byPassword.id },
    bob: { id: bob.user.id, phone: bob.phone },
    cee: { id: cee.user.id, from: cee.phone, undo: change.undo.id },
    dan: { id: dan.user.id },
    fay: { id: fay.user.id, phone: fay.phone },
    ticket: ticket.id,
  }
}

/** All that a server tells of what it keeps. */
export async function picture(store: Store, { ids, messages, keys, people, kept }: Made) {
  const { verifications, messaging } = store
  const sends = []
  for (const owner of [...Object.values(ids), ...messages]) sends.push(await messaging.sendsOf(owner))
  const budgets = []
  for (const to of Object.values(TO)) budgets.push(await verifications.budget(to, BUDGET))
  const signIns = []
  for (const { id } of [people.ann, people.bob, people.cee, people.dan, people.fay])
    signIns.push(await store.auth.account({ id }), await store.auth.sessionsOf(id))
  const records = await Promise.all(Object.values(kept).map((id) => store.records.find(id)))
  const page = await messaging.messages({ service: 'default', limit: 3 })
  const cursor = page.nextCursor ?? ''
  return {
    sends,
    budgets,
    signIns,
    records,
    named: await store.records.findNamed('rate_limit', kept.service, LIMIT),
    services: await store.records.list({ kind: 'service', parent: ACCOUNT, limit: 3 }),
    attempts: await store.attempts.list({ services: ['default', 'other'], limit: 100 }),
    users: await store.auth.users({ limit: 100 }),
    events: await store.auth.events({ limit: 100 }),
    verifications: await verifications.list({ service: 'default', limit: 100 }),
    others: await verifications.list({ service: 'other', limit: 100 }),
    ofNumber: await verifications.list({ service: 'default', limit: 100, to: TO.sent }),
    approved: await verifications.latestApproved('default', TO.approved),
    situation: await verifications.situation('default', TO.guessed, 'verify'),
    messages: [page, await messaging.messages({ service: 'default', limit: 3, cursor })],
    counters: await store.counters.peek(COUNTERS),
    keys: [await store.keys.list(), await store.keys.findByHash(keys[0]?.hash ?? '')],
  }
}
