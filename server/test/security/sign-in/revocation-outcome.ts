import { expect } from 'vitest'
import type { FakeClock } from '../../fake-clock.ts'
import type { Revocation } from '../revocation-table.ts'
import { callAsAdmin, type Holder, holderOf, partsOf, refresh, statusOf } from './holders.ts'
import { ELSE, OWN, type World } from './revocation-world.ts'

type Outcome = Partial<Revocation>

const SHUT = 'account disabled'
const KEY_GONE = 'old key taken out'
const NO_CODE = { factor: 'backup_code', code: '00000-00000' } as const

/** What is found after an event, in the words of the table; of second factors where there are some. */
export async function outcomeOf(event: string, world: World): Promise<Outcome> {
  const sessions = await sessionsOutcome(event, world)
  if (event === SHUT) await expectNothingOpens(world)
  const factors = world.hasFactors ? await factorsOutcome(event, world) : {}
  const codes = await codesWord(event, world)
  return { event, ...sessions, ...factors, codes, resetTokens: await resetsWord(event, world) }
}

async function sessionsOutcome(event: string, world: World): Promise<Outcome> {
  const { server, mine, other } = world
  const access = { mine: await statusOf(server, mine), other: await statusOf(server, other) }
  const published = await world.publishedKeys()
  const offline = {
    kept: await Promise.all([mine, other].map((one) => world.isBelieved(one, world.keptKeys))),
    anew: await Promise.all([mine, other].map((one) => world.isBelieved(one, published))),
    wanted: [mine, other].map(({ access: token }) => isYoung(token, world.clock)),
  }
  const keyIsGone = event === KEY_GONE
  const refreshes = {
    mine: (await refresh(server, mine.refresh)).status,
    other: (await refresh(server, other.refresh)).status,
  }
  return {
    thisRefresh: refreshes.mine === 200 ? 'stays' : keyIsGone ? 'ends if it is of that key' : 'ends',
    otherRefresh: refreshes.other === 200 ? 'stay' : keyIsGone ? 'end if of that key' : 'end',
    ownAccess: accessWord(access, keyIsGone),
    offlineAccess: offlineWord(offline),
  }
}

function accessWord(
  { mine, other }: { mine: number; other: number },
  keyIsGone: boolean,
): Revocation['ownAccess'] {
  if (mine === 200) return other === 200 ? 'stay' : "the others' end"
  if (other === 200) return "this session's end"
  return keyIsGone ? 'end if of that key' : 'all end'
}

function offlineWord(found: {
  kept: boolean[]
  anew: boolean[]
  wanted: boolean[]
}): Revocation['offlineAccess'] {
  expect(found.kept).toEqual(found.wanted)
  if (found.anew.every((one, at) => one === found.wanted[at])) return 'until exp'
  expect(found.anew).toEqual([false, false])
  return 'end when the keys are fetched anew'
}

/** Nothing that is pending opens an account that is shut. It is opened again then. */
async function expectNothingOpens(world: World): Promise<void> {
  expect(await world.tryCode()).toBe(403)
  expect(await world.tryReset(world.resets[0])).toBe(400)
  if (world.hasFactors) {
    expect(await challengesWord(SHUT, world)).toBe('end')
    expect((await world.tryPassword(world.mine.device)).status).toBe(403)
  }
  await callAsAdmin(world.server, 'POST', `/admin/users/${world.mine.userId}/enable`)
}

async function codesWord(event: string, world: World): Promise<Revocation['codes']> {
  const found = await world.tryCode()
  if (found === world.mine.userId) return 'stay'
  if (typeof found === 'string') return 'stay with their number'
  expect(found).toBe(400)
  // It was tried while the account was shut.
  return event === SHUT ? 'refused while it is' : 'end if of that key'
}

async function resetsWord(event: string, world: World): Promise<Revocation['resetTokens']> {
  if ((await world.tryReset(world.resets[0])) !== 200) return 'end'
  return event === SHUT ? 'refused while it is' : 'stay'
}

async function factorsOutcome(event: string, world: World): Promise<Outcome> {
  const challenges = await challengesWord(event, world)
  const { status, body } = await world.tryPassword()
  if (status === 401) {
    const gone = { devices: 'end', app: 'ends', texts: 'end', backupCodes: 'end', setup: 'ends' } as const
    expect((await world.tryPassword(world.mine.device)).status).toBe(401)
    return { challenges, ...gone }
  }
  if (body['access_token'] === undefined) {
    const { holder, ...found } = await shownOutcome(event, world)
    return { challenges, ...found, setup: await setupWord(event, world, holder) }
  }
  // Nothing is asked for: what there was is tried once something is again.
  const setup = await setupWord(event, world, holderOf(body))
  if (setup !== 'stays') await world.turnOn('app', holderOf(body))
  const { holder: _, ...found } = await shownOutcome(event, world)
  return { challenges, ...found, setup }
}

/** With a code that nobody has, which uses up a try and nothing else. */
async function challengesWord(event: string, world: World): Promise<Revocation['challenges']> {
  const { pwd, sms } = world.challenges
  const found = [(await world.tryFactor(pwd, NO_CODE)).status, (await world.tryFactor(sms, NO_CODE)).status]
  switch (found.join()) {
    case '400,400':
      return event === SHUT ? 'refused while it is' : 'stay'
    case '401,400':
      return 'end after a password'
    case '400,401':
      return 'end after a code'
    default:
      expect(found).toEqual([401, 401])
      return 'end'
  }
}

/** Tries every factor that there was before. The holder has shown one of them, where one is still good. */
async function shownOutcome(event: string, world: World) {
  const { secret, backupCodes } = world.held
  const devices = await devicesWord(event, world)
  // First, since another one may let it be offered again.
  const text = await textShown(world)
  const app = await world.tryFactor(await world.challenge(), world.nextCode(secret))
  const codes = []
  for (const code of backupCodes.slice(0, 2))
    codes.push(await world.tryFactor(await world.challenge(), { factor: 'backup_code', code }))
  const statuses = codes.map(({ status }) => status).join()
  const passed = [app, ...codes].find(({ status }) => status === 200)
  return {
    devices,
    app: app.status === 200 ? 'stays' : event === KEY_GONE ? 'ends if it is of that key' : 'ends',
    texts: text ? numberWord(event, text.to) : await noTextWord(world),
    backupCodes: statuses === '200,200' ? 'stay' : statuses === '400,200' ? 'that one ends' : 'end',
    holder: passed ? holderOf(passed.body) : (text?.holder ?? world.mine),
  } as const
}

async function devicesWord(event: string, world: World): Promise<Revocation['devices']> {
  const isKnown = async ({ device }: Holder) =>
    (await world.tryPassword(device)).body['access_token'] !== undefined
  const found = [await isKnown(world.mine), await isKnown(world.other)]
  if (found.every(Boolean)) return 'stay'
  if (found.some(Boolean)) {
    expect(found).toEqual([false, true])
    return 'that one ends'
  }
  return event === KEY_GONE ? 'end if of that key' : 'end'
}

/** Signs in with a text, where one is offered: who did, and where it went. */
async function textShown(world: World): Promise<{ holder: Holder; to: string } | undefined> {
  if (!(await isTextOffered(world))) return undefined
  world.wait()
  const challenge_token = await world.challenge()
  const { preview_code: code = '' } = await world.call('POST', '/api/auth/2fa/send', { challenge_token })
  const sent = world.server.inbox.list().find(({ body }) => body.includes(code))
  return { holder: await world.pass(challenge_token, { factor: 'sms', code }), to: sent?.to ?? '' }
}

async function isTextOffered(world: World): Promise<boolean> {
  return ((await world.tryPassword()).body['factors'] ?? '').includes('sms')
}

function numberWord(event: string, to: string): Revocation['texts'] {
  if (event === 'texts turned on') return 'begin'
  if (to === OWN) return 'stay'
  expect(to).toBe(ELSE)
  return event === 'phone undo' ? 'go to the old number' : 'go to the new number'
}

/** Why no text was offered, now that another factor was shown. */
async function noTextWord(world: World): Promise<Revocation['texts']> {
  if (await isTextOffered(world)) return 'none until another was shown'
  const { body } = await callAsAdmin(world.server, 'GET', `/admin/users/${world.mine.userId}`)
  const { phone } = (body as { user: { phone: string | null } }).user
  return phone === null ? 'none without a number' : 'end'
}

async function setupWord(event: string, world: World, holder: Holder): Promise<Revocation['setup']> {
  const { status, text } = await world.tryConfirm(world.setup, holder)
  if (status === 200) return 'stays'
  expect(status, text).toBe(400)
  return event === KEY_GONE ? 'ends if it is of that key' : 'ends'
}

function isYoung(token: string, clock: FakeClock): boolean {
  return Number(partsOf(token).claims['exp']) > clock.now() / 1000
}
