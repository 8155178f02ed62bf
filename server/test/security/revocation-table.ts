/** What happens to what a person holds, in the words of the page docs/sessions.md. */
export type Revocation = {
  readonly event: string
  /** Of the session that is signed out, revoked or met after its time, or that the change was made with. */
  readonly thisRefresh: 'ends' | 'stays' | 'ends if it is of that key'
  readonly otherRefresh: 'end' | 'stay' | 'end if of that key'
  /** At our own routes, which look the session up. */
  readonly ownAccess: 'all end' | "this session's end" | "the others' end" | 'stay' | 'end if of that key'
  /** Where they are checked by the public keys alone. */
  readonly offlineAccess: 'until exp' | 'end when the keys are fetched anew'
  /** Made by `POST /api/auth/password/reset/verify`, and not used yet; of a reset, those besides the one it used. */
  readonly resetTokens: 'end' | 'stay' | 'refused while it is'
  /** Codes that were sent to the account's number and not used yet. */
  readonly codes: 'stay' | 'stay with their number' | 'refused while it is' | 'end if of that key'
}

/** The columns of the page, in their order. */
export const REVOCATION_COLUMNS: readonly (readonly [keyof Revocation, string])[] = [
  ['event', 'Event'],
  ['thisRefresh', "This session's refresh token"],
  ['otherRefresh', "Other sessions' refresh tokens"],
  ['ownAccess', 'Access tokens, here'],
  ['offlineAccess', 'Access tokens, offline'],
  ['resetTokens', 'Pending reset tokens'],
  ['codes', 'Pending codes'],
]

const THIS_ALONE = {
  thisRefresh: 'ends',
  otherRefresh: 'stay',
  ownAccess: "this session's end",
  offlineAccess: 'until exp',
  resetTokens: 'stay',
  codes: 'stay',
} as const
const ALL = { ...THIS_ALONE, otherRefresh: 'end', ownAccess: 'all end' } as const
const OTHERS = { ...ALL, thisRefresh: 'stays', ownAccess: "the others' end" } as const
const NONE = { ...THIS_ALONE, thisRefresh: 'stays', ownAccess: 'stay' } as const
const NUMBER_GONE = { resetTokens: 'end', codes: 'stay with their number' } as const

/** The rows of the page, in their order. */
export const REVOCATIONS: readonly Revocation[] = [
  { event: 'logout', ...THIS_ALONE },
  { event: 'logout-all', ...ALL },
  { event: 'session revoked', ...THIS_ALONE },
  { event: 'refresh token reused', ...THIS_ALONE },
  { event: 'password change', ...OTHERS, resetTokens: 'end' },
  { event: 'password reset', ...ALL, resetTokens: 'end' },
  { event: 'phone change', ...OTHERS, ...NUMBER_GONE },
  { event: 'phone undo', ...ALL, ...NUMBER_GONE },
  { event: 'number detached', ...NONE, ...NUMBER_GONE },
  { event: 'account disabled', ...ALL, resetTokens: 'refused while it is', codes: 'refused while it is' },
  { event: 'account deleted', ...ALL, ...NUMBER_GONE },
  { event: 'idle for too long', ...THIS_ALONE },
  { event: 'end of its whole life', ...THIS_ALONE },
  { event: 'key replaced, the old one listed', ...NONE },
  {
    event: 'old key taken out',
    thisRefresh: 'ends if it is of that key',
    otherRefresh: 'end if of that key',
    ownAccess: 'end if of that key',
    offlineAccess: 'end when the keys are fetched anew',
    resetTokens: 'stay',
    codes: 'end if of that key',
  },
]
