import { CountersignError } from '../primitives/errors.ts'
import { isId } from '../primitives/ids.ts'
import { type AuthDeps, byOf, type Client, eventOf } from './deps.ts'
import { packDevices } from './devices.ts'
import type { By } from './events.ts'
import { notOffered } from './refusals.ts'
import type { Account } from './user.ts'

/** So long after the wait the second factors can still be taken off, in seconds; then it has to be asked for again. */
const OPEN_SECONDS = 7 * 86_400

/**
 * Takes the second factors off an account whose owner has lost them all, for an administrator who has made sure of
 * whom they speak with. Whoever has not lost them has the time to say so: any of them, shown, ends it.
 */
export class Recovery {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  /**
   * Begins the wait, and tells the owner; resolves with its end, in milliseconds since the epoch. Throws `not_found`,
   * and `factor_not_offered` where there is nothing to take off.
   */
  async begin(userId: string, by: By): Promise<number> {
    const { store, clock, settings, notify, later } = this.#deps
    const account = isId('usr_', userId) ? await store.account({ id: userId }) : undefined
    if (account === undefined) throw noUser()
    if (account.secondFactors === null) throw notOffered()
    const seconds = settings.recoverySeconds
    const due = clock.now() + seconds * 1_000
    const ticket = { id: userId, kind: 'recovery' as const, userId, data: { due: String(due) } }
    await store.putTicket(ticket, seconds + OPEN_SECONDS)
    await store.record({
      ...eventOf(clock, 'recovery.started', by, { due: new Date(due).toISOString() }),
      userId,
    })
    const { phone } = account
    if (phone !== null) {
      const values = { service: settings.serviceName, hours: String(Math.ceil(seconds / 3_600)) }
      later(() => notify(phone, 'second_factor_reset', values))
    }
    return due
  }

  /** Ends the wait; nothing is taken off. Throws `not_found`. */
  async cancel(userId: string, by: By): Promise<void> {
    if (!isId('usr_', userId) || !(await endRecovery(this.#deps, userId, by))) throw noUser()
  }
}

/** Ends the wait of an account, if there is one. */
export async function endRecovery({ store, clock }: AuthDeps, userId: string, by: By): Promise<boolean> {
  const isEnded = (await store.takeTicket('recovery', userId)) !== undefined
  if (isEnded) await store.record({ ...eventOf(clock, 'recovery.canceled', by), userId })
  return isEnded
}

/**
 * Takes the second factors off an account whose wait is over, when its first factor has been shown: every session and
 * device ends. Whether it did.
 */
export async function recover(deps: AuthDeps, account: Account, client: Client): Promise<boolean> {
  const { store, clock } = deps
  const ticket = await store.ticket('recovery', account.id)
  if (ticket === undefined || Number(ticket.data['due']) > clock.now()) return false
  const { outcome } = await store.changeAccount({
    userId: account.id,
    version: account.version,
    secondFactors: null,
    devices: packDevices([]),
    ticket: { kind: 'recovery', id: account.id },
    ends: { allBut: null },
    events: [eventOf(clock, 'factor.disabled', byOf(client), { method: 'all', why: 'recovery' })],
  })
  return outcome === 'changed'
}

function noUser(): CountersignError {
  return new CountersignError('not_found', 'There is no such user, or nothing to end')
}
