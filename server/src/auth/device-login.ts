import { type AuthDeps, byOf, type Client, eventOf, newSession } from './deps.ts'
import {
  type Device,
  devicesOf,
  packDevices,
  readDeviceToken,
  useDevice,
  writeDeviceToken,
} from './devices.ts'
import { type Grant, grantOf } from './grant.ts'
import { type Account, userOf } from './user.ts'

/** What somebody holds who has signed in; `deviceToken` where the device is remembered: it takes the old one's place. */
export type DeviceGrant = Grant & { readonly deviceToken: string | null }

/** What a use of this token comes to, as {@link useDevice}; undefined where it is of no device of the account. */
function foundDevice(
  { ring, clock, settings }: AuthDeps,
  account: Account,
  token: string | undefined,
  client: Client,
): { readonly device: Device; readonly used: Device | 'reused' } | undefined {
  const read = token === undefined ? undefined : readDeviceToken(ring, token)
  const nowMs = clock.now()
  const device = devicesOf(account, nowMs).find(({ id }) => id === read?.deviceId)
  if (read === undefined || device === undefined) return undefined
  return {
    device,
    used: useDevice(device, read, { client, graceSeconds: settings.refreshGraceSeconds, nowMs }),
  }
}

/** The id of the device that an account remembers by this token, if it is none that was used before. */
export function rememberedDevice(
  deps: AuthDeps,
  account: Account,
  token: string | undefined,
  client: Client,
): string | undefined {
  const used = foundDevice(deps, account, token, client)?.used
  return used === undefined || used === 'reused' ? undefined : used.id
}

/**
 * Lets in who has shown the password of an account, on a device that it remembers. Undefined where it does not, and
 * `conflict` where the account was changed meanwhile. A token that was used before ends its device: one of two has
 * stolen it.
 */
export async function enterByDevice(
  deps: AuthDeps,
  account: Account,
  token: string | undefined,
  client: Client,
): Promise<DeviceGrant | 'conflict' | undefined> {
  const { store, ring, clock } = deps
  const found = foundDevice(deps, account, token, client)
  if (found === undefined) return undefined
  const { device, used } = found
  const others = devicesOf(account, clock.now()).filter(({ id }) => id !== device.id)
  const by = byOf(client)
  const about = { userId: account.id, version: account.version }
  if (used === 'reused') {
    const events = [eventOf(clock, 'device.reused', by, { device: device.id })]
    const ended = await store.changeAccount({ ...about, devices: packDevices(others), events })
    return ended.outcome === 'conflict' ? 'conflict' : undefined
  }
  const changed = await store.changeAccount({
    ...about,
    devices: packDevices([...others, used]),
    session: newSession(deps, client, ['pwd']),
    events: [eventOf(clock, 'session.started', by, { amr: 'pwd', device: used.id })],
  })
  if (changed.outcome !== 'changed' || changed.session === null) return 'conflict'
  const grant = grantOf(deps, { user: userOf(changed.account), session: changed.session })
  return { ...grant, deviceToken: writeDeviceToken(ring, used) }
}
