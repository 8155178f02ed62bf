import { takeOrThrow } from '../limits/refusal.ts'
import { CountersignError } from '../primitives/errors.ts'
import { maskPhone } from '../primitives/phone.ts'
import { makeId } from '../primitives/ids.ts'
import { type AuthDeps, byOf, type Client, eventOf, newSession } from './deps.ts'
import { type Grant, grantOf } from './grant.ts'
import { type Challenge, challenge } from './challenges.ts'
import { recover } from './recovery.ts'
import { accountDisabled, invalidCode } from './refusals.ts'
import type { NewUser } from './store.ts'
import type { User } from './user.ts'

/** What a person who has just proven a number brings along. */
export type Newcomer = Omit<NewUser, 'id'>

export const NOBODY: Newcomer = { email: null, name: null, passwordHash: null }

/** What somebody gets who has proven a number. */
export type LetIn = (Grant & { readonly isNew: boolean; readonly emailTaken: boolean }) | Challenge

/**
 * Lets in who has just proven a number: into the account that has it, or into a new one. An account with a second
 * factor asks for that. Throws `account_disabled`.
 */
export async function enter(
  deps: AuthDeps,
  phone: string,
  client: Client,
  newcomer: Newcomer = NOBODY,
  { startsOver = false }: { readonly startsOver?: boolean } = {},
): Promise<LetIn> {
  const { store, clock, settings } = deps
  const by = byOf(client)
  const masked = { phone: maskPhone(phone) }
  if (!startsOver) await mustBeAllowed(deps, phone, client)
  const entered = await store.enter({
    phone,
    newUser: { id: makeId('usr_', clock.now()), ...newcomer },
    session: newSession(deps, client, ['sms']),
    proofSeconds: settings.proofSeconds,
    startsOver,
    events: {
      created: eventOf(clock, 'user.created', by, masked),
      entered: eventOf(clock, 'phone.proven', by, masked),
      detached: eventOf(clock, 'phone.detached', by, { ...masked, why: 'proven by somebody else' }),
      started: eventOf(clock, 'session.started', by, { amr: 'sms' }),
    },
  })
  if (entered.outcome === 'disabled') {
    const event = eventOf(clock, 'login.failed', by, { why: 'account disabled' })
    await store.record({ ...event, userId: entered.user.id })
    throw accountDisabled()
  }
  if (entered.outcome === 'second_factor') {
    const account = await store.account({ phone })
    // It has been turned off meanwhile, or the number is another's: whoever comes again finds out.
    if (account === undefined || account.secondFactors === null) throw invalidCode()
    if (await recover(deps, account, client)) return enter(deps, phone, client, newcomer)
    return challenge(deps, account, { first: 'sms' })
  }
  const { outcome, emailTaken } = entered
  return { ...grantOf(deps, entered), isNew: outcome === 'created', emailTaken }
}

/** Whether a number may open this account. */
export function isAllowed({ mayEnter }: AuthDeps, { id, phone }: User): Promise<boolean> {
  if (mayEnter === undefined || phone === null) return Promise.resolve(true)
  return mayEnter({ phone, userId: id }).catch(() => false)
}

/** Throws `blocked` where somebody has said that this number may not open its account now. */
async function mustBeAllowed(deps: AuthDeps, phone: string, client: Client): Promise<void> {
  if (deps.mayEnter === undefined) return
  const account = await deps.store.account({ phone })
  if (account === undefined || (await isAllowed(deps, account))) return
  const event = eventOf(deps.clock, 'login.failed', byOf(client), { why: 'not allowed by the operator' })
  await deps.store.record({ ...event, userId: account.id })
  throw new CountersignError('blocked', 'This number cannot be used to sign in at the moment')
}

/** Counts a call by somebody who is not signed in. Throws `rate_limited`. */
export async function countCall({ counters, rules }: AuthDeps, client: Client): Promise<void> {
  await takeOrThrow(counters, rules.call(client))
}
