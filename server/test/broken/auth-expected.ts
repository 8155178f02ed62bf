// What each twin of the store of users and sessions must be caught by: titles of the suite.

const STALE = 'a number proven too long ago goes to a new user, and the old one keeps everything else'
const NOT_ENTERED = 'an account that is shut is not entered, and nothing changes'
const STALE_SHUT = 'the number of a shut account too is another’s once its proof is too old'
const EMAIL_LEFT_OUT = 'an e-mail that is another’s is left out of a new account, however it is written'
const STALE_RACE =
  'of 50 who enter with a number proven too long ago, one takes it and all come into one account'
const ENTER_SHUT_RACE = 'whoever enters while the account is shut has no session afterwards'
const ENTER_DELETE_RACE =
  'whoever enters while the account is deleted is in the old one, which is gone, or in a new one'
const OPENS = 'a password opens a session only while it is the one that was compared'
const OPENS_NOTHING = 'an account without a password, and one that is shut, open nothing'
const OPEN_RESET_RACE = 'whoever opens with a password while it is changed has no session afterwards'
const OPEN_SHUT_RACE = 'whoever opens with a password while the account is shut has no session afterwards'
const LISTED = 'live sessions are listed newest first, and only one’s own'
const LASTS =
  'a session lasts until the last millisecond of its idle time, and of its life however it is used'
const F22_SESSION = 'F22: a session that was met after its end stays ended when the clock is set back'
const ENDED = 'a session is ended once, by its own user, and is told of as that one'
const ENDED_ALL = 'all sessions but one are ended, the live ones counted, and told of once'
const ENDED_WITH_USER =
  'a session of a user who is deleted or shut has ended, and opening the account brings none back'
const SESSIONS_SWEPT = 'sessions past their end are swept, and only those'
const ROTATED = 'each use gives the next generation, and renews the idle time but not the life'
const REPEATED =
  'the token before comes again within the grace, as often as it likes, and gives the same child'
const REUSED_LATE = 'the token before that comes after the grace ends the session'
const REUSED_AGENT = 'the token before that another agent brings ends the session, also within the grace'
const FIRST_AGENT = 'the agent that counts is the one that the session began with'
const REUSED_OLD = 'a token whose child was used ends the session, also within the grace'
const NO_GRACE = 'without a grace nothing comes again'
const F22_GRACE = 'F22: a clock that is set back makes the grace no longer'
const NEVER_GIVEN =
  'a generation that was never given and a session that never was come to nothing, and change nothing'
const ROTATE_RACE = 'of 100 who use one token at once, one is first and all get the same child'
const REUSE_RACE =
  'of 100 who use one token at once without a grace, one goes on, and the second ends the session'
const USERS_LISTED = 'users are listed newest first, a page at a time, and by what they are'
const EMAIL_TAKEN = 'an e-mail that is another’s changes nothing, nor does a change of nobody'
const EMAIL_RACE = 'of 50 users who take one e-mail at once, one has it'
const SET = 'a password is set in the place of the one that was there, and of no other'
const SET_ENDS = 'a new password ends every session but the one that is kept; a new hash ends none'
const SET_RACE = 'of 100 who set a password in the place of one, one has'
const SHUT = 'an account is shut and opened; what changes nothing is not told of'
const DELETED =
  'a deleted user is gone with sessions and tickets, and the log keeps no address, agent or data'
const CHANGED = 'a proven number is given to a user, and ends the other sessions'
const TAKEN_FROM =
  'it is taken from whoever had it, also when that account is shut, and they keep everything else'
const OWN_AGAIN = 'one’s own number is proven again, and there is nothing to take back'
const HAD_NONE = 'whoever had none has nothing to take back'
const NO_NUMBER = 'a user who is shut or gone gets no number, and nobody loses theirs'
const CHANGE_RACE = 'of 20 users who prove one number at once, one has it at the end and the others have none'
const OWN_CHANGE_RACE =
  'of 20 changes of one’s own number at once, the way back is to the number from before them'
const RESTORED = 'the number from before is put back, proven anew, and every session ends'
const RESTORE_RACE = 'of 30 who take one change back at once, one does'
const RESTORED_NOT = 'a number that somebody else has by now is not put back, then or later'
const UNDONE_AFTER = 'a change that was taken back takes those after it with it, and leaves those before'
const UNDO_IN_TIME = 'a change is taken back within its time, and not with a ticket of another kind'
const RESTORED_SHUT = 'a shut account gets its number back and stays shut; a deleted one stays deleted'
const ALL_CHANGED = 'all of a change is done in one step, and told'
const NOT_GIVEN = 'what is not given stays; the password, the second factors and the devices make a version'
const CONFLICT =
  'an account that is not as it was read, is shut, or is gone, is left as it is, and so is the ticket'
const LOST_NUMBER = 'a number that was lost is proven for nobody’s account'
const A12_USED = 'A12: a ticket that is not there, was used, is too old or of another kind, changes nothing'
const F22_USED = 'F22: a ticket that was met after its time stays used up when the clock is set back'
const ENDED_AS_TOLD = 'the sessions that were there end as told, and nobody else’s'
const EVENTS_AS_TOLD = 'events are recorded as they were told, the start of a session as of that one'
const VERSION_RACE = 'of 30 who change one account as it was read, one has changed it'
const A12_READ_AGAIN = 'A12: of 30 who come with one ticket and read again, one has changed the account'
const A12_NO_VERSION = 'A12: of 30 who come with one ticket that makes no version, one comes in'
const NONE_LOST = 'of 12 who each add something to what was read, none is lost'
const COME_IN_SHUT_RACE = 'whoever comes in by a change while the account is shut has no session afterwards'
const COME_IN_RESET_RACE =
  'whoever comes in by a change while the password is reset has no session afterwards'
const USE_RACE = 'a session that a change ends while it is used stays ended'
const FACTOR_ASKED = 'an account with a second factor is not entered with its number, and nothing changes'
const FACTOR_OF_SHUT = 'an account with a second factor that is shut is said to be shut'
const FACTOR_OF_STALE =
  'a number proven too long ago is another’s, also where there is a second factor, which stays'
const FACTOR_BESIDES_PASSWORD = 'a password alone opens no session where there is a second factor'
const STARTS_OVER = 'whoever starts over gets a new account, whatever the one is that has the number'
const STARTS_OVER_FROM_NOBODY = 'whoever starts over with a number that nobody has takes it from nobody'
const STARTS_OVER_RACE = 'of 12 who start over at once, each takes the number from the one before'
const ENTER_FACTOR_RACE =
  'whoever enters with the number while a second factor is set up has no session afterwards'
const OPEN_FACTOR_RACE =
  'whoever opens with the password while a second factor is set up has no session afterwards'
const FACTOR_SHOWN = 'a session tells when a second factor was shown in it, however it was opened and used'
const DEVICES_STAY = 'a sign-in, a new name and what is refused leave the devices and make no version'
const FORGOTTEN_WITH_PASSWORD = 'a new password forgets the devices; a new hash of the same keeps them'
const FORGOTTEN_WITH_NUMBER = 'a number that is given, given again or put back forgets the devices'
const FORGOTTEN_WITH_LOSS = 'a number that is taken away takes the devices with it'
const FORGOTTEN_WHEN_SHUT = 'shutting an account forgets its devices, once'
const TICKET = 'a ticket is given back as it was put, once'
const TICKET_RACE = 'A12: of 30 who take one ticket at once, one gets it'
const A11_KIND = 'A11: a ticket is of its kind alone, and two of different kinds may have one id'
const TICKET_REPLACED = 'a ticket takes the place of one of the same id, with its own time'
const F22_TICKET = 'F22: a ticket lasts until its last millisecond; met after it, it stays used up'
const TICKET_READ = 'a ticket that is read stays good, and is read in its time and by its kind alone'
const TICKETS_SWEPT = 'tickets past their time are swept, and only those'
const EVENT = 'an event is kept as it was told, with the store’s time'
const EVENTS_LISTED = 'events are listed newest first, a page at a time, by user and type'
const EVENTS_SWEPT = 'events are swept when they are past the retention, and not before'

/** What each breakage must be caught by, and what it must not disturb: everything else. */
export const AUTH_EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'auth store: right': [],
  'auth store: proof-not-renewed': [
    'whoever has the number comes in again, and the proof is renewed',
    CHANGED,
    OWN_AGAIN,
    RESTORED,
  ],
  'auth store: proof-kept': [STALE, TAKEN_FROM, LOST_NUMBER, FACTOR_OF_STALE, STARTS_OVER],
  'auth store: agent-forgotten': [
    'a new number makes a user with all that was given, and a session',
    OPENS,
    LISTED,
    ROTATED,
    REPEATED,
    FIRST_AGENT,
    NEVER_GIVEN,
    ROTATE_RACE,
    ALL_CHANGED,
    FACTOR_SHOWN,
  ],
  'auth store: idle-not-seen': [LISTED, STARTS_OVER],
  'auth store: sessions-of-anyone': [
    ENTER_DELETE_RACE,
    LISTED,
    ENDED_ALL,
    SET_ENDS,
    CHANGED,
    TAKEN_FROM,
    HAD_NONE,
    RESTORED_NOT,
    CONFLICT,
    ENDED_AS_TOLD,
    STARTS_OVER,
  ],
  'auth store: oldest-session-first': [LISTED, FACTOR_SHOWN],
  'auth store: ends-strangers': [ENDED],
  'auth store: ends-all-of-everyone': [ENDED_ALL, SET_ENDS, SHUT, CHANGED, TAKEN_FROM, ENDED_AS_TOLD],
  'auth store: ends-none': [
    NOT_ENTERED,
    ENTER_SHUT_RACE,
    ENTER_DELETE_RACE,
    OPEN_RESET_RACE,
    OPEN_SHUT_RACE,
    ENDED_ALL,
    ENDED_WITH_USER,
    SET_ENDS,
    CHANGED,
    RESTORED,
    ALL_CHANGED,
    CONFLICT,
    ENDED_AS_TOLD,
    COME_IN_SHUT_RACE,
    COME_IN_RESET_RACE,
    USE_RACE,
    STARTS_OVER,
    ENTER_FACTOR_RACE,
    OPEN_FACTOR_RACE,
  ],
  'auth store: ends-the-kept-too': [
    ENDED_ALL,
    SET_ENDS,
    CHANGED,
    OWN_AGAIN,
    HAD_NONE,
    RESTORED_NOT,
    ENDED_AS_TOLD,
  ],
  'auth store: not-retired': [F22_SESSION],
  'auth store: outlives-its-life': [LASTS, ROTATED],
  'auth store: idle-not-renewed': [STALE, LASTS, ROTATED],
  'auth store: use-not-noted': [ROTATED],
  'auth store: generation-stays': [
    ROTATED,
    REPEATED,
    REUSED_LATE,
    REUSED_AGENT,
    FIRST_AGENT,
    REUSED_OLD,
    NO_GRACE,
    F22_GRACE,
    NEVER_GIVEN,
    ROTATE_RACE,
    REUSE_RACE,
  ],
  'auth store: found-by-no-e-mail': [
    EMAIL_LEFT_OUT,
    'of 50 new users with one e-mail, one gets it',
    'an account is found by id, number and e-mail',
    USERS_LISTED,
    EMAIL_TAKEN,
    EMAIL_RACE,
  ],
  'auth store: oldest-user-first': [USERS_LISTED],
  'auth store: any-status': [USERS_LISTED],
  'auth store: never-cleared': ['a name and an e-mail are changed, each alone or both, and taken away'],
  'auth store: password-unconditional': [SET, SET_ENDS, SET_RACE, DEVICES_STAY],
  'auth store: password-of-shut': [SET],
  'auth store: devices-outlive-password': [FORGOTTEN_WITH_PASSWORD],
  'auth store: devices-outlive-change': [FORGOTTEN_WITH_NUMBER],
  'auth store: devices-outlive-loss': [FACTOR_OF_STALE, STARTS_OVER, FORGOTTEN_WITH_LOSS],
  'auth store: devices-outlive-shutting': [FORGOTTEN_WHEN_SHUT],
  'auth store: hash-forgets-devices': [FORGOTTEN_WITH_PASSWORD],
  'auth store: entry-forgets-devices': [ENTER_FACTOR_RACE, DEVICES_STAY],
  'auth store: no-version-of-password': [SET, COME_IN_RESET_RACE, FORGOTTEN_WITH_PASSWORD],
  'auth store: no-version-of-number': [CHANGED, FORGOTTEN_WITH_NUMBER],
  'auth store: no-version-of-loss': [STALE, TAKEN_FROM, FACTOR_OF_STALE, STARTS_OVER, FORGOTTEN_WITH_LOSS],
  'auth store: no-version-of-status': [FORGOTTEN_WHEN_SHUT],
  'auth store: no-version-of-change': [
    ALL_CHANGED,
    NOT_GIVEN,
    CONFLICT,
    A12_USED,
    VERSION_RACE,
    A12_READ_AGAIN,
    NONE_LOST,
    FACTOR_OF_STALE,
    ENTER_FACTOR_RACE,
    DEVICES_STAY,
    FORGOTTEN_WITH_NUMBER,
  ],
  'auth store: factors-lost-with-number': [FACTOR_OF_STALE, STARTS_OVER, FORGOTTEN_WITH_LOSS],
  'auth store: factors-lost-with-password': [FORGOTTEN_WITH_PASSWORD],
  'auth store: factors-never-cleared': [NOT_GIVEN, FACTOR_ASKED, FACTOR_BESIDES_PASSWORD],
  'auth store: proof-not-renewed-by-change': [ALL_CHANGED, NOT_GIVEN],
  'auth store: factor-not-noted': [ALL_CHANGED, FACTOR_SHOWN],
  'auth store: factor-shown-by-use': [ROTATED, FACTOR_SHOWN],
  'auth store: ticket-of-any-kind': [UNDO_IN_TIME, A11_KIND, A12_USED],
  'auth store: ticket-for-ever': [UNDO_IN_TIME, F22_TICKET, A12_USED, F22_USED],
  'auth store: first-ticket-stays': [TICKET_REPLACED],
  'auth store: time-of-first-ticket': [TICKET_REPLACED],
  'auth store: tickets-stay': [DELETED, UNDONE_AFTER],
  'auth store: undo-by-turns': [UNDONE_AFTER],
  'auth store: undo-takes-all': [UNDONE_AFTER],
  'auth store: user-of-ticket-forgotten': [
    DELETED,
    OWN_CHANGE_RACE,
    RESTORED,
    RESTORE_RACE,
    UNDONE_AFTER,
    UNDO_IN_TIME,
    RESTORED_SHUT,
    TICKET,
    TICKET_REPLACED,
    CONFLICT,
    FORGOTTEN_WITH_NUMBER,
  ],
  'auth store: ticket-not-used-up': [
    RESTORED_NOT,
    UNDO_IN_TIME,
    TICKET,
    TICKET_RACE,
    A11_KIND,
    TICKET_REPLACED,
    F22_TICKET,
    ALL_CHANGED,
    CONFLICT,
    A12_USED,
    F22_USED,
    A12_READ_AGAIN,
    A12_NO_VERSION,
  ],
  'auth store: session-not-named': [
    'an entry records who was made and what was started, of whom and which session',
    OPENS,
    ENDED,
    REUSED_LATE,
    REUSED_AGENT,
    REUSED_OLD,
    F22_GRACE,
    REUSE_RACE,
    ALL_CHANGED,
    EVENTS_AS_TOLD,
  ],
  'auth store: key-forgotten': [DELETED, EVENT],
  'auth store: log-keeps-all': [DELETED],
  'auth store: log-blanks-all': [DELETED],
  'auth store: oldest-event-first': [EVENTS_LISTED],
  'auth store: events-of-anyone': [STALE, SHUT, DELETED, EVENTS_LISTED, STARTS_OVER],
  'auth store: events-of-any-type': [
    ENDED,
    ENDED_ALL,
    REUSED_LATE,
    REUSED_AGENT,
    REUSED_OLD,
    F22_GRACE,
    REUSE_RACE,
    EMAIL_RACE,
    DELETED,
    CHANGED,
    CHANGE_RACE,
    RESTORED,
    RESTORE_RACE,
    EVENT,
    EVENTS_LISTED,
    STARTS_OVER_RACE,
  ],
  'auth store: events-of-user-or-type': [EVENTS_LISTED],
  'auth store: sweeps-live-sessions': [SESSIONS_SWEPT],
  'auth store: sweeps-no-sessions': [SESSIONS_SWEPT],
  'auth store: sweeps-good-tickets': [TICKETS_SWEPT],
  'auth store: sweeps-no-tickets': [TICKETS_SWEPT],
  'auth store: sweeps-all-events': [SESSIONS_SWEPT, EVENTS_SWEPT],
  'auth store: sweeps-no-events': [EVENTS_SWEPT],
  'auth store: look-then-enter': [
    STALE,
    'of 200 who enter with one new number at once, one makes the account and all come into it',
    STALE_RACE,
    'while a change is taken back and others enter with the number from before, one has it',
    STARTS_OVER,
    STARTS_OVER_RACE,
  ],
  'auth store: never-stale': [
    STALE,
    STALE_SHUT,
    STALE_RACE,
    HAD_NONE,
    LOST_NUMBER,
    FACTOR_OF_STALE,
    FORGOTTEN_WITH_LOSS,
  ],
  'auth store: idle-past-life': ['a session’s idle time is never longer than its life'],
  'auth store: enters-shut': [NOT_ENTERED, ENTER_SHUT_RACE],
  'auth store: shut-for-ever': [STALE_SHUT, STARTS_OVER],
  'auth store: case-kept': [EMAIL_LEFT_OUT],
  'auth store: tells-refusals': [
    NOT_ENTERED,
    OPENS,
    OPENS_NOTHING,
    ENDED,
    ENDED_ALL,
    REUSED_LATE,
    REUSED_AGENT,
    REUSED_OLD,
    F22_GRACE,
    NEVER_GIVEN,
    REUSE_RACE,
    EMAIL_TAKEN,
    EMAIL_RACE,
    SET,
    SHUT,
    DELETED,
    NO_NUMBER,
    RESTORED,
    RESTORE_RACE,
    RESTORED_NOT,
    RESTORED_SHUT,
    CONFLICT,
    A12_USED,
    FACTOR_ASKED,
    FACTOR_BESIDES_PASSWORD,
  ],
  'auth store: look-then-open': [OPEN_RESET_RACE, OPEN_SHUT_RACE, OPEN_FACTOR_RACE],
  'auth store: any-password': [OPENS],
  'auth store: no-password': [OPENS_NOTHING],
  'auth store: look-then-rotate': [
    ROTATE_RACE,
    REUSE_RACE,
    'a session that is ended while it is used stays ended',
    USE_RACE,
  ],
  'auth store: no-grace': [REPEATED, FIRST_AGENT, ROTATE_RACE],
  'auth store: long-grace': [REUSED_LATE, NO_GRACE, REUSE_RACE],
  'auth store: any-agent': [REUSED_AGENT, FIRST_AGENT],
  'auth store: last-agent': [FIRST_AGENT],
  'auth store: any-ancestor': [REUSED_OLD],
  'auth store: grace-from-the-future': [F22_GRACE],
  'auth store: reuse-forgiven': [REUSED_LATE, REUSED_AGENT, REUSED_OLD, F22_GRACE],
  'auth store: future-ends': [NEVER_GIVEN],
  'auth store: always-ended': [F22_SESSION, ENDED, 'of 30 who end one session at once, one has ended it'],
  'auth store: look-then-update': [EMAIL_RACE],
  'auth store: name-all-the-same': [EMAIL_TAKEN],
  'auth store: look-then-set': [SET_RACE],
  'auth store: keeps-all': [OPEN_RESET_RACE, SET_ENDS, COME_IN_RESET_RACE, FORGOTTEN_WITH_PASSWORD],
  'auth store: keeps-none': [SET_ENDS, FORGOTTEN_WITH_PASSWORD],
  'auth store: sessions-stay': [
    NOT_ENTERED,
    ENTER_SHUT_RACE,
    OPEN_SHUT_RACE,
    ENDED_WITH_USER,
    COME_IN_SHUT_RACE,
    STARTS_OVER,
  ],
  'auth store: told-twice': [SHUT],
  'auth store: look-then-change': [CHANGE_RACE, OWN_CHANGE_RACE],
  'auth store: undo-written-over': [OWN_CHANGE_RACE],
  'auth store: changes-shut': [NO_NUMBER],
  'auth store: spares-shut': [TAKEN_FROM],
  'auth store: always-undo': [OWN_AGAIN, HAD_NONE],
  'auth store: undo-takes-number': [RESTORED_NOT, FORGOTTEN_WITH_NUMBER],
  'auth store: undo-waits': [RESTORED_NOT, UNDO_IN_TIME],
  'auth store: look-then-restore': [RESTORE_RACE],
  'auth store: proof-of-before': [RESTORED],
  'auth store: undo-of-any-kind': [UNDO_IN_TIME],
  'auth store: undo-of-active': [RESTORED_SHUT],
  'auth store: log-goes-too': [DELETED],
  'auth store: always-deleted': [DELETED],
  'auth store: look-then-take': [TICKET_RACE, F22_TICKET],
  'auth store: reads-old-tickets': [TICKET_READ],
  'auth store: old-ticket-stays': [F22_TICKET],
  'auth store: look-then-alter': [
    VERSION_RACE,
    A12_READ_AGAIN,
    A12_NO_VERSION,
    NONE_LOST,
    COME_IN_SHUT_RACE,
    COME_IN_RESET_RACE,
    ENDED_AS_TOLD,
  ],
  'auth store: any-version': [CONFLICT, VERSION_RACE, NONE_LOST, COME_IN_RESET_RACE, DEVICES_STAY],
  'auth store: alters-shut': [CONFLICT],
  'auth store: any-proof': [CONFLICT, LOST_NUMBER],
  'auth store: no-ticket': [ALL_CHANGED, CONFLICT, A12_USED, F22_USED, A12_READ_AGAIN, A12_NO_VERSION],
  'auth store: ticket-first': [CONFLICT, ENDED_AS_TOLD],
  'auth store: ticket-lost': [CONFLICT, ENDED_AS_TOLD],
  'auth store: old-ticket-waits': [F22_USED],
  'auth store: version-always': [NOT_GIVEN, ENDED_AS_TOLD, A12_NO_VERSION],
  'auth store: ends-what-is-gone': [ENDED_AS_TOLD],
  'auth store: ends-the-opened-too': [ALL_CHANGED, ENDED_AS_TOLD],
  'auth store: session-in-every': [ALL_CHANGED, EVENTS_AS_TOLD],
  'auth store: enters-with-factor': [FACTOR_ASKED, ENTER_FACTOR_RACE],
  'auth store: look-then-let-in': [ENTER_FACTOR_RACE],
  'auth store: factor-for-ever': [FACTOR_OF_STALE, FORGOTTEN_WITH_LOSS],
  'auth store: factor-of-shut': [FACTOR_OF_SHUT],
  'auth store: opens-with-factor': [FACTOR_BESIDES_PASSWORD],
  'auth store: never-starts-over': [STARTS_OVER, STARTS_OVER_RACE, FORGOTTEN_WITH_LOSS],
  'auth store: starts-over-not-from-shut': [STARTS_OVER],
  'auth store: starts-over-when-told': [STARTS_OVER_FROM_NOBODY],
}
