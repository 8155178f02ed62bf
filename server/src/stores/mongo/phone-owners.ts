import type { Collection } from 'mongodb'
import type { EventDraft } from '../../auth/events.ts'
import type { Clock } from '../../primitives/clock.ts'
import { NO_DEVICES } from '../auth-rows.ts'
import type { MongoDatabase, Step } from './database.ts'
import type { UserChanges } from './user-changes.ts'
import {
  newEvent,
  NEXT_VERSION,
  USER_ALONE,
  type UserAlone,
  type UserDocument,
  usersOf,
} from './user-documents.ts'

/** Somebody who has a number, as they were found. */
export type Owner = UserAlone

/** Who has which number. */
export class PhoneOwners {
  readonly #clock: Clock
  readonly #users: Collection<UserDocument>
  readonly #changes: UserChanges

  constructor(db: MongoDatabase, clock: Clock, changes: UserChanges) {
    this.#clock = clock
    this.#users = usersOf(db)
    this.#changes = changes
  }

  find(step: Step, phone: string): Promise<Owner | null> {
    return step(() => this.#users.findOne({ phone_slot: phone, phone }, { projection: USER_ALONE }))
  }

  /** Takes the number from whoever was found to have it, whose devices are forgotten; false when that has changed meanwhile. */
  async detach(
    step: Step,
    { _id, phone, phone_verified_at: provenAt }: Owner,
    draft: EventDraft,
  ): Promise<boolean> {
    const isSame = { _id, phone, phone_verified_at: provenAt }
    const $set = { phone: null, phone_verified_at: null, phone_slot: _id, devices: NO_DEVICES }
    const event = newEvent(draft, this.#clock.now())
    return (await this.#changes.change(step, isSame, { $set, ...NEXT_VERSION }, [event])) !== null
  }
}
