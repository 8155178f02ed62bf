// What each twin of the store of what tenants keep must be caught by: titles of the suite.

const KEPT = 'a record is kept as it was made, by the store’s clock, and is found by its id and its name'
const NAMED = 'a name is one’s of its kind and parent, and another’s of another'
const NAME_RACE = 'of 30 that insert one name at once one is made, and the others are told which'
const CHANGED = 'what was read is changed, and nothing of it but what is said'
const STALE = 'what somebody else has changed since stays as they left it, and so does what is gone'
const CHANGE_RACE = 'of 30 changes of one version one is made'
const NONE_LOST = 'of 30 who change one record, each until it has, none is lost and none is made twice'
const F22_CHANGE = 'F22: with the clock set back, a change is not from before the record was made'
const ALL_BELOW = 'takes all that belongs to it, three levels down, and nothing else'
const LOWER = 'takes the lower ones, and leaves what it belongs to and what lies beside it'
const REMOVE_RACE = 'of 10 that remove one at once one has, and there is none to remove then'
const CHANGE_OR_REMOVE = 'what is changed while it is removed is gone'
const LISTED = 'is of a kind and a parent, newest first'
const PAGES = 'is page by page without a gap or a double, while others are added'
const DUE = 'is taken from its time on, of its kind alone, and told with its lease'
const LONGEST = 'the longest due is taken first, and no more than are asked for'
const TAKE_RACE = 'of 20 that take at once, each record goes to one'
const AGAIN = 'is due again when its lease is over and whoever had it said nothing'
const TAKEN = 'is changed by whoever took it: done with, put off, or left to its lease'
const MADE_DUE = 'what was not due is made due by a change'
const SWEPT = 'is there until it is swept, which is not before its time, and nothing else is swept'
const NAME_SWEPT = 'leaves its name when it is swept'

export const RECORDS_EXPECTED: Record<string, readonly string[]> = {
  'records: right': [],
  'records: name-forgotten': [KEPT, NAMED, NAME_RACE, NAME_SWEPT],
  'records: end-forgotten': [KEPT, SWEPT, NAME_SWEPT],
  'records: due-forgotten': [KEPT, DUE, LONGEST, TAKE_RACE, AGAIN, TAKEN],
  'records: name-of-any-kind': [NAMED],
  'records: name-of-any-parent': [NAMED],
  'records: any-version': [STALE, CHANGE_RACE, NONE_LOST],
  'records: version-stays': [CHANGED, STALE, CHANGE_RACE, NONE_LOST],
  'records: change-not-timed': [CHANGED],
  'records: changed-before-it-was-made': [F22_CHANGE],
  'records: due-lost-by-change': [CHANGED, TAKEN],
  'records: never-done-with': [TAKEN],
  'records: leaves-what-is-below': [ALL_BELOW, LOWER],
  'records: two-levels': [ALL_BELOW],
  'records: takes-what-lies-beside': [ALL_BELOW, LOWER],
  'records: takes-the-parent': [ALL_BELOW, LOWER],
  'records: oldest-first': [LISTED, PAGES],
  'records: lists-any-kind': [LISTED],
  'records: lists-any-parent': [LISTED],
  'records: page-begins-with-the-last': [PAGES],
  'records: takes-any-kind': [DUE],
  'records: takes-too-early': [DUE, AGAIN],
  'records: takes-too-late': [DUE, AGAIN, TAKEN, MADE_DUE],
  'records: takes-the-newest': [LONGEST],
  'records: takes-without-lease': [DUE, LONGEST, TAKE_RACE, AGAIN, TAKEN],
  'records: takes-for-ever': [DUE, AGAIN, TAKEN],
  'records: sweeps-too-early': [SWEPT],
  'records: sweeps-all': [SWEPT],
  'records: sweeps-none': [SWEPT, NAME_SWEPT],
  'records: look-then-insert': [NAME_RACE],
  'records: look-then-change': [CHANGE_RACE, NONE_LOST],
  'records: writes-back': [CHANGE_OR_REMOVE],
  'records: always-removed': [REMOVE_RACE],
  'records: look-then-take': [TAKE_RACE],
}
