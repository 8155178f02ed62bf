import { expect } from 'vitest'
import { callAsAdmin, type Holder, refresh, refreshed, signIn, statusOf } from './holders.ts'
import { ELSE, OWN, PASSWORD, SECRET, THEIRS, World } from './revocation-world.ts'

const NEXT_SECRET = 'the-next-secret-of-the-revocation-tests-of-32'
const THIRD_PASSWORD = 'six wombats went to sea'
const DAY = 86_400
const HOUR = 3_600
const FACTORS = ['sms', 'app'] as const
/** With the old key listed, and without. */
export const [BOTH_KEYS, NEXT_KEY] = [
  { SECRET_KEY: NEXT_SECRET, SECRET_KEYS_PREVIOUS: SECRET },
  { SECRET_KEY: NEXT_SECRET },
]

/** Makes an event happen in a world of its own. */
type Event = (make: () => World) => Promise<World>

/** Somebody with a password and two sessions who leaves everything pending; `mine` is the younger. */
export async function usual(world = new World()): Promise<World> {
  await world.boot()
  world.other = await world.signUp()
  await world.leavePending()
  world.wait()
  world.mine = await world.enter()
  await world.beginSetup(world.mine)
  return world
}

/** The same with an app, texts and a remembered device for each session. */
export const careful = () => usual(new World(FACTORS))

/** How each event comes about that an account without second factors has too. */
export const EVENTS: Readonly<Record<string, Event>> = {
  logout: async (make) => {
    const world = await usual(make())
    await world.call('POST', '/api/auth/logout', undefined, world.mine)
    return world
  },
  'logout-all': async (make) => {
    const world = await usual(make())
    await world.call('POST', '/api/auth/logout-all', undefined, world.mine)
    return world
  },
  'session revoked': async (make) => {
    const world = await usual(make())
    await world.call('DELETE', `/api/auth/sessions/${world.mine.sessionId}`, undefined, world.other)
    return world
  },
  'refresh token reused': async (make) => {
    const world = await usual(make())
    const { refresh: used } = world.mine
    world.mine = { ...world.mine, ...(await refreshed(world.server, used)) }
    world.clock.advance(10)
    expect((await refresh(world.server, used)).status).toBe(401)
    return world
  },
  'password change': async (make) => {
    const world = await usual(make())
    const body = { current_password: PASSWORD, password: THIRD_PASSWORD }
    await world.call('POST', '/api/auth/password/change', body, world.mine)
    world.password = THIRD_PASSWORD
    return world
  },
  'password reset': async (make) => {
    const world = await usual(make())
    const used = world.resets.pop()
    await world.call('POST', '/api/auth/password/reset', { reset_token: used, password: THIRD_PASSWORD })
    world.password = THIRD_PASSWORD
    // The one that was used is used up.
    expect(await world.tryReset(used)).toBe(400)
    return world
  },
  'phone change': async (make) => {
    const world = await usual(make())
    await world.changePhone(world.mine, ELSE)
    return world
  },
  'phone undo': async (make) => {
    const world = make()
    await world.boot()
    await world.changePhone(await world.signUp(ELSE), OWN)
    world.other = await world.enter()
    await world.leavePending()
    world.mine = await world.enter()
    await world.beginSetup(world.mine)
    world.wait()
    world.server.inbox.clear()
    await world.call('POST', '/api/auth/phone/undo/request', { phone: ELSE })
    const code = await world.nextText(ELSE)
    await world.call('POST', '/api/auth/phone/undo', { phone: ELSE, code })
    return world
  },
  'number detached': async (make) => {
    const world = await usual(make())
    await world.changePhone(await signIn(world.server, THEIRS), OWN)
    return world
  },
  'account disabled': async (make) => {
    const world = await usual(make())
    await callAsAdmin(world.server, 'POST', `/admin/users/${world.mine.userId}/disable`)
    return world
  },
  'account deleted': async (make) => {
    const world = await usual(make())
    const { status } = await callAsAdmin(world.server, 'DELETE', `/admin/users/${world.mine.userId}`)
    expect(status).toBe(204)
    return world
  },
  'idle for too long': async (make) => {
    const world = make()
    await world.boot({ ACCESS_TOKEN_EXPIRE_MINUTES: '1440' })
    world.mine = await world.signUp()
    world.clock.advance(DAY - 300)
    world.other = await world.enter()
    await world.beginSetup(world.other)
    await world.leavePending()
    world.clock.advance(180)
    return world
  },
  'end of its whole life': async (make) => {
    const world = make()
    await world.boot()
    const first = await world.signUp()
    world.clock.advance(DAY * 0.9)
    const second = await refreshed(world.server, first.refresh)
    world.clock.advance(DAY * 0.9)
    const third = await refreshed(world.server, second.refresh)
    world.clock.advance(DAY * 0.2 - 300)
    world.other = await world.enter()
    await world.beginSetup(world.other)
    await world.leavePending()
    world.mine = { ...first, ...(await refreshed(world.server, third.refresh)) }
    world.clock.advance(180)
    return world
  },
  'key replaced, the old one listed': async (make) => {
    const world = await usual(make().kept())
    await world.boot(BOTH_KEYS)
    return world
  },
  'old key taken out': async (make) => {
    const world = await usual(make().kept())
    await world.boot(BOTH_KEYS)
    // What is of the new key lives on.
    const renewed = await signIn(world.server, THEIRS)
    await world.requestCode(THEIRS)
    await world.boot(NEXT_KEY)
    expect(await statusOf(world.server, renewed)).toBe(200)
    expect((await refresh(world.server, renewed.refresh)).status).toBe(200)
    expect(await world.tryCode(THEIRS)).toBe(renewed.userId)
    return world
  },
}

/** How the others come about. */
export const FACTOR_EVENTS: Readonly<Record<string, () => Promise<World>>> = {
  'texts turned on': async () => {
    const world = await usual(new World(['app']))
    world.wait()
    await world.turnOn('sms', world.mine)
    return world
  },
  'another app turned on': async () => {
    const world = await careful()
    // The one whose setup was pending, which is used up by it.
    expect((await world.tryConfirm(world.setup, world.mine)).status).toBe(200)
    return world
  },
  'texts turned off, the app left on': async () => {
    const world = await careful()
    await world.call('POST', '/api/auth/2fa/disable', { method: 'sms' }, world.mine)
    return world
  },
  'second factors turned off': async () => {
    const world = await careful()
    await world.call('POST', '/api/auth/2fa/disable', undefined, world.mine)
    return world
  },
  'new backup codes': async () => {
    const world = await careful()
    await world.call('POST', '/api/auth/2fa/backup-codes', undefined, world.mine)
    return world
  },
  'backup code used': async () => {
    const world = await careful()
    const [code = ''] = world.app.backupCodes
    await world.pass(await world.challenge(), { factor: 'backup_code', code })
    return world
  },
  'second factor shown again': async () => {
    const world = await careful()
    const renewed = await world.stepUp(world.mine, world.nextCode())
    expect(await statusOf(world.server, renewed)).toBe(200)
    return world
  },
  'device revoked': async () => {
    const world = await careful()
    await world.call('DELETE', `/api/auth/devices/${deviceOf(world.mine)}`, undefined, world.other)
    return world
  },
  'device token reused': async () => {
    const world = await careful()
    const { device: used } = world.mine
    const { device_token: device = '' } = (await world.tryPassword(used)).body
    world.clock.advance(10)
    expect((await world.tryPassword(used)).body['status']).toBe('second_factor_required')
    world.mine = { ...world.mine, device }
    return world
  },
  'second-factor reset begun': async () => {
    const world = await careful()
    await beginReset(world)
    return world
  },
  'second-factor reset taken effect': async () => {
    const world = new World(FACTORS)
    await world.boot({
      SECOND_FACTOR_RESET_HOURS: '1',
      STEP_UP_SECONDS: String(HOUR),
      ACCESS_TOKEN_EXPIRE_MINUTES: '120',
    })
    world.other = await world.signUp()
    world.mine = await world.enter()
    await beginReset(world)
    world.clock.advance(HOUR - 200)
    await world.beginSetup(world.mine)
    await world.leavePending()
    world.wait()
    expect((await world.tryPassword()).body['access_token']).toBeDefined()
    return world
  },
  'number started over': async () => {
    const world = await careful()
    const challenge_token = await world.challengeByCode()
    await world.requestCode()
    await world.call('POST', '/api/auth/2fa/start-over', { challenge_token })
    return world
  },
}

async function beginReset({ server, mine }: World): Promise<void> {
  const path = `/admin/users/${mine.userId}/second-factor-reset`
  expect((await callAsAdmin(server, 'POST', path)).status).toBe(200)
}

function deviceOf({ device = '' }: Holder): string {
  return `dev_${device.split('_')[1]}`
}
