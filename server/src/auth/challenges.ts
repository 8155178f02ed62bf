import { randomBytes } from 'node:crypto'
import { maskPhone } from '../primitives/phone.ts'
import { sha256 } from '../primitives/secrets.ts'
import type { AuthDeps } from './deps.ts'
import { challengeEnded } from './refusals.ts'
import { CHALLENGE_SECONDS } from './rules.ts'
import { type Factor, factorsOf, type FirstFactor, offered } from './second-factors.ts'
import type { Account } from './user.ts'

/** A sign-in that waits for its second factor. */
export type Challenge = {
  readonly kind: 'challenge'
  /** Opaque; good for one sign-in, and for nothing else. */
  readonly token: string
  readonly factors: readonly Factor[]
  /** The number that a text would go to, masked; null: none would. */
  readonly phoneHint: string | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** What a challenge was made of. */
export type Challenged = {
  readonly id: string
  readonly userId: string
  readonly first: FirstFactor
  /** What was shown first; it must still be the account's. */
  readonly mark: string
  /** The session that is signed in anew; null for a sign-in. */
  readonly stepsUp: string | null
}

const TOKEN = /^cht_[\w-]{43}$/

/** Makes the challenge of somebody who has shown the first factor. */
export async function challenge(
  { store, clock }: AuthDeps,
  account: Account,
  { first, stepsUp = null }: { readonly first: FirstFactor; readonly stepsUp?: string | null },
): Promise<Challenge> {
  const factors = factorsOf(account)
  if (factors === null) throw new Error('an account without second factors is challenged')
  const token = `cht_${randomBytes(32).toString('base64url')}`
  const data = { first, mark: markOf(account, first), stepsUp }
  await store.putTicket({ id: sha256(token), kind: 'challenge', userId: account.id, data }, CHALLENGE_SECONDS)
  const all = offered(factors, first, account.phone)
  return {
    kind: 'challenge',
    token,
    factors: all,
    phoneHint: all.includes('sms') && account.phone !== null ? maskPhone(account.phone) : null,
    expiresAt: clock.now() + CHALLENGE_SECONDS * 1_000,
  }
}

/** Reads a challenge, which stays good. Throws `challenge_ended`. */
export async function readChallenge({ store }: AuthDeps, token: string): Promise<Challenged> {
  const ticket = TOKEN.test(token) ? await store.ticket('challenge', sha256(token)) : undefined
  const { first, mark, stepsUp = null } = ticket?.data ?? {}
  if (!ticket?.userId || !mark || (first !== 'sms' && first !== 'pwd')) throw challengeEnded()
  return { id: ticket.id, userId: ticket.userId, first, mark, stepsUp }
}

/** The account of a challenge, if what was shown first is still the account's. Throws `challenge_ended`. */
export async function challengedAccount({ store }: AuthDeps, { userId, first, mark }: Challenged) {
  const account = await store.account({ id: userId })
  const factors = account === undefined ? null : factorsOf(account)
  if (account?.status !== 'active' || factors === null || markOf(account, first) !== mark)
    throw challengeEnded()
  return { account, factors }
}

/** Stands for the password or the number without telling it. */
function markOf({ passwordHash, phone }: Account, first: FirstFactor): string {
  return sha256(`${first} ${(first === 'pwd' ? passwordHash : phone) ?? ''}`)
}
