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
  /** Of sign-ins that have shown the password or the number, and no second factor yet. */
  readonly challenges: 'end' | 'stay' | 'end after a password' | 'end after a code' | 'refused while it is'
  readonly devices: 'end' | 'stay' | 'that one ends' | 'end if of that key'
  /** The one that was on before. */
  readonly app: 'ends' | 'stays' | 'ends if it is of that key'
  /** As a second factor. */
  readonly texts:
    | 'begin'
    | 'end'
    | 'stay'
    | 'go to the new number'
    | 'go to the old number'
    | 'none without a number'
    | 'none until another was shown'
  /** Those that there were. */
  readonly backupCodes: 'end' | 'stay' | 'that one ends'
  /** An app that waits for its first code. */
  readonly setup: 'ends' | 'stays' | 'ends if it is of that key'
}

type Columns = readonly (readonly [keyof Revocation, string])[]

/** The columns of the page's first table, in their order. */
export const SESSION_COLUMNS: Columns = [
  ['event', 'Event'],
  ['thisRefresh', "This session's refresh token"],
  ['otherRefresh', "Other sessions' refresh tokens"],
  ['ownAccess', 'Access tokens, here'],
  ['offlineAccess', 'Access tokens, offline'],
  ['resetTokens', 'Pending reset tokens'],
  ['codes', 'Pending codes'],
]

/** The columns of the second one. */
export const FACTOR_COLUMNS: Columns = [
  ['event', 'Event'],
  ['challenges', 'Pending challenges'],
  ['devices', 'Remembered devices'],
  ['app', 'App'],
  ['texts', 'Texts'],
  ['backupCodes', 'Backup codes'],
  ['setup', 'Pending setup of an app'],
]

const FACTORS_STAY = {
  challenges: 'stay',
  devices: 'stay',
  app: 'stays',
  texts: 'stay',
  backupCodes: 'stay',
  setup: 'stays',
} as const
const FACTORS_END = {
  challenges: 'end',
  devices: 'end',
  app: 'ends',
  texts: 'end',
  backupCodes: 'end',
} as const
const THIS_ALONE = {
  thisRefresh: 'ends',
  otherRefresh: 'stay',
  ownAccess: "this session's end",
  offlineAccess: 'until exp',
  resetTokens: 'stay',
  codes: 'stay',
  ...FACTORS_STAY,
} as const
const ALL = { ...THIS_ALONE, otherRefresh: 'end', ownAccess: 'all end' } as const
const OTHERS = { ...ALL, thisRefresh: 'stays', ownAccess: "the others' end" } as const
const NONE = { ...THIS_ALONE, thisRefresh: 'stays', ownAccess: 'stay' } as const
const PASSWORD_GONE = { resetTokens: 'end', challenges: 'end after a password', devices: 'end' } as const
const NUMBER_GONE = {
  resetTokens: 'end',
  codes: 'stay with their number',
  challenges: 'end after a code',
  devices: 'end',
} as const

/** The rows of the page that accounts without a second factor have too, in their order. */
export const REVOCATIONS: readonly Revocation[] = [
  { event: 'logout', ...THIS_ALONE },
  { event: 'logout-all', ...ALL },
  { event: 'session revoked', ...THIS_ALONE },
  { event: 'refresh token reused', ...THIS_ALONE },
  { event: 'password change', ...OTHERS, ...PASSWORD_GONE },
  { event: 'password reset', ...ALL, ...PASSWORD_GONE, texts: 'none until another was shown' },
  { event: 'phone change', ...OTHERS, ...NUMBER_GONE, texts: 'go to the new number' },
  { event: 'phone undo', ...ALL, ...NUMBER_GONE, texts: 'go to the old number' },
  { event: 'number detached', ...NONE, ...NUMBER_GONE, texts: 'none without a number' },
  {
    event: 'account disabled',
    ...ALL,
    resetTokens: 'refused while it is',
    codes: 'refused while it is',
    challenges: 'refused while it is',
    devices: 'end',
  },
  { event: 'account deleted', ...ALL, ...NUMBER_GONE, ...FACTORS_END, setup: 'ends' },
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
    challenges: 'stay',
    devices: 'end if of that key',
    app: 'ends if it is of that key',
    texts: 'stay',
    backupCodes: 'stay',
    setup: 'ends if it is of that key',
  },
]

/** The rows after them. */
export const FACTOR_REVOCATIONS: readonly Revocation[] = [
  { event: 'texts turned on', ...OTHERS, texts: 'begin', backupCodes: 'end', setup: 'ends' },
  { event: 'another app turned on', ...OTHERS, app: 'ends', backupCodes: 'end', setup: 'ends' },
  { event: 'texts turned off, the app left on', ...NONE, texts: 'end', devices: 'end' },
  { event: 'second factors turned off', ...NONE, ...FACTORS_END },
  { event: 'new backup codes', ...NONE, backupCodes: 'end' },
  { event: 'backup code used', ...NONE, backupCodes: 'that one ends' },
  { event: 'second factor shown again', ...THIS_ALONE },
  { event: 'device revoked', ...NONE, devices: 'that one ends' },
  { event: 'device token reused', ...NONE, devices: 'that one ends' },
  { event: 'second-factor reset begun', ...NONE },
  { event: 'second-factor reset taken effect', ...ALL, ...FACTORS_END },
  { event: 'number started over', ...NONE, ...NUMBER_GONE, texts: 'none without a number' },
]
