import { CountersignError } from '../primitives/errors.ts'
import { isId } from '../primitives/ids.ts'
import { type AuthDeps, eventOf } from './deps.ts'
import type { AuthEvent, By, EventType } from './events.ts'
import type { Session, User, UserStatus } from './user.ts'

/** What the operator's backend does with accounts. */
export class Administration {
  readonly #deps: AuthDeps

  constructor(deps: AuthDeps) {
    this.#deps = deps
  }

  users(
    filter: Parameters<AuthDeps['store']['users']>[0],
  ): Promise<{ data: User[]; nextCursor: string | null }> {
    return this.#deps.store.users(filter)
  }

  /** Throws `not_found`. */
  async read(userId: string): Promise<{ readonly user: User; readonly sessions: readonly Session[] }> {
    const { store } = this.#deps
    const user = isId('usr_', userId) ? await store.account({ id: userId }) : undefined
    if (user === undefined) throw noUser()
    return { user, sessions: await store.sessionsOf(userId) }
  }

  /** Shuts or opens an account; shutting ends its sessions. Throws `not_found`. */
  async setStatus(userId: string, status: UserStatus, by: By): Promise<User> {
    const { store, clock } = this.#deps
    const type = status === 'disabled' ? 'user.disabled' : 'user.enabled'
    const user = isId('usr_', userId)
      ? await store.setStatus(userId, status, eventOf(clock, type, by))
      : undefined
    if (user === undefined) throw noUser()
    return user
  }

  /** Ends every session; resolves with how many. Throws `not_found`. */
  async endSessions(userId: string, by: By): Promise<number> {
    const { store, clock } = this.#deps
    await this.read(userId)
    return store.endSessions(
      userId,
      eventOf(clock, 'session.ended', by, { why: 'ended by an administrator' }),
    )
  }

  /** Deletes an account and what is known of the person. Throws `not_found`. */
  async delete(userId: string, by: By): Promise<void> {
    const { store, clock } = this.#deps
    const isDeleted =
      isId('usr_', userId) && (await store.deleteUser(userId, eventOf(clock, 'user.deleted', by)))
    if (!isDeleted) throw noUser()
  }

  events(filter: {
    readonly limit: number
    readonly userId?: string
    readonly type?: EventType
    readonly cursor?: string
  }): Promise<{ data: AuthEvent[]; nextCursor: string | null }> {
    return this.#deps.store.events(filter)
  }
}

function noUser(): CountersignError {
  return new CountersignError('not_found', 'There is no such user')
}
