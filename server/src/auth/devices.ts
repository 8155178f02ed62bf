import { timingSafeEqual } from 'node:crypto'
import { makeId } from '../primitives/ids.ts'
import { hmac, type KeyRing } from '../primitives/secrets.ts'
import type { Client } from './deps.ts'
import type { Account } from './user.ts'

/** A device on which its user is spared the second factor. Kept as JSON with the account; times in milliseconds. */
export type Device = {
  /** `dev_…` */
  readonly id: string
  /** Which of its tokens is valid now; the first is 0. */
  readonly generation: number
  readonly rotatedAt: number
  /** The `User-Agent` it was remembered with. */
  readonly agent: string
  /** Where it was last used from. */
  readonly address: string
  readonly createdAt: number
  readonly usedAt: number
  /** It is forgotten then, however much it is used. */
  readonly expiresAt: number
}

/** What the token of a device stands for. */
export type DeviceToken = { readonly deviceId: string; readonly generation: number }

/** The least recently used goes when there are more. */
const MOST = 20
const SHAPE = /^dt_([0-9a-f]{44})_([0-9a-z]{1,8})_([\w-]{43})$/

/** The devices of an account that are still remembered. */
export function devicesOf({ devices }: Account, nowMs: number): readonly Device[] {
  return (JSON.parse(devices) as Device[]).filter(({ expiresAt }) => expiresAt > nowMs)
}

/** As they are kept. */
export function packDevices(devices: readonly Device[]): string {
  return JSON.stringify([...devices].sort((one, other) => other.usedAt - one.usedAt).slice(0, MOST))
}

/** A device that is remembered from now on. */
export function newDevice(client: Client, lifeSeconds: number, nowMs: number): Device {
  return {
    id: makeId('dev_', nowMs),
    generation: 0,
    rotatedAt: nowMs,
    agent: client.agent,
    address: client.address,
    createdAt: nowMs,
    usedAt: nowMs,
    expiresAt: nowMs + lifeSeconds * 1_000,
  }
}

/**
 * What a use of a device's token comes to. The one before the newest may come again for a moment from the same client:
 * its answer may have been lost. Any other old one was stolen, or the newest was.
 */
export function useDevice(
  device: Device,
  { generation }: DeviceToken,
  { client, graceSeconds, nowMs }: { client: Client; graceSeconds: number; nowMs: number },
): Device | 'reused' {
  const used = { ...device, usedAt: nowMs, address: client.address }
  if (generation === device.generation) return { ...used, generation: generation + 1, rotatedAt: nowMs }
  const isRecent = Math.abs(nowMs - device.rotatedAt) < graceSeconds * 1_000
  const isParent = generation === device.generation - 1
  return isParent && isRecent && device.agent === client.agent ? used : 'reused'
}

/** Writes the token of a device's generation, as that of a session: nothing of it is stored. */
export function writeDeviceToken(
  ring: KeyRing,
  { id, generation }: Pick<Device, 'id' | 'generation'>,
): string {
  const rest = id.replace(/^dev_/, '')
  const count = generation.toString(36)
  return `dt_${rest}_${count}_${macOf(ring.current.refreshKey, rest, count)}`
}

/** Reads the token of a device of ours, of whatever age; nothing where it is not ours. */
export function readDeviceToken(ring: KeyRing, token: string): DeviceToken | undefined {
  const [, rest, count, mac] = SHAPE.exec(token) ?? []
  if (rest === undefined || count === undefined || mac === undefined) return undefined
  const given = Buffer.from(mac)
  for (const { refreshKey } of ring.byId.values()) {
    if (!timingSafeEqual(Buffer.from(macOf(refreshKey, rest, count)), given)) continue
    const generation = Number.parseInt(count, 36)
    return generation.toString(36) === count ? { deviceId: `dev_${rest}`, generation } : undefined
  }
  return undefined
}

function macOf(key: Parameters<typeof hmac>[0], rest: string, count: string): string {
  // Apart from refresh tokens, which are made with the same key.
  return hmac(key, `device ${rest}_${count}`).toString('base64url')
}
