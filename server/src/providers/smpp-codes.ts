import type { Progress, Refusal } from '../messaging/provider.ts'

/** What an SMSC's number says: its name in the specification, and what it means to us. */
type Status = { readonly name: string; readonly why: Refusal }

const status = (name: string, why: Refusal): Status => ({ name: `ESME_${name}`, why })

/**
 * Every `command_status` that can answer a bind or a submit. Sources: SMPP 3.4 §5.1.3 (table 5-2), and SMPP 5.0
 * §4.7.6 from 0x100 on. A refusal is explicit: the message was not taken.
 */
export const SMPP_STATUSES: ReadonlyMap<number, Status> = new Map([
  // The number.
  [0x0b, status('RINVDSTADR', 'bad_number')],

  // The receiving side rejects this message.
  [0x66, status('RX_R_APPN', 'blocked')],

  // Too fast; the same message may go out in a moment.
  [0x14, status('RMSGQFUL', 'throttled')],
  [0x58, status('RTHROTTLED', 'throttled')],

  // The SMSC cannot just now.
  [0x04, status('RINVBNDSTS', 'unavailable')], // it takes the link for not bound
  [0x05, status('RALYBND', 'unavailable')], // an earlier link of ours still counts
  [0x08, status('RSYSERR', 'unavailable')],
  [0x45, status('RSUBMITFAIL', 'unavailable')],
  [0x64, status('RX_T_APPN', 'unavailable')],
  [0x65, status('RX_P_APPN', 'unavailable')],
  [0xfe, status('RDELIVERYFAILURE', 'unavailable')],
  [0xff, status('RUNKNOWNERR', 'unavailable')],
  [0x102, status('RSERTYPUNAVAIL', 'unavailable')],

  // Our account, sender or request; nobody's message goes out until an operator acts.
  [0x01, status('RINVMSGLEN', 'misconfigured')],
  [0x02, status('RINVCMDLEN', 'misconfigured')],
  [0x03, status('RINVCMDID', 'misconfigured')],
  [0x06, status('RINVPRTFLG', 'misconfigured')],
  [0x07, status('RINVREGDLVFLG', 'misconfigured')],
  [0x0a, status('RINVSRCADR', 'misconfigured')],
  [0x0d, status('RBINDFAIL', 'misconfigured')],
  [0x0e, status('RINVPASWD', 'misconfigured')],
  [0x0f, status('RINVSYSID', 'misconfigured')],
  [0x15, status('RINVSERTYP', 'misconfigured')],
  [0x43, status('RINVESMCLASS', 'misconfigured')],
  [0x48, status('RINVSRCTON', 'misconfigured')],
  [0x49, status('RINVSRCNPI', 'misconfigured')],
  [0x50, status('RINVDSTTON', 'misconfigured')],
  [0x51, status('RINVDSTNPI', 'misconfigured')],
  [0x53, status('RINVSYSTYP', 'misconfigured')],
  [0x54, status('RINVREPFLAG', 'misconfigured')],
  [0x61, status('RINVSCHED', 'misconfigured')],
  [0x62, status('RINVEXPIRY', 'misconfigured')],
  [0x63, status('RINVDFTMSGID', 'misconfigured')],
  [0xc0, status('RINVOPTPARSTREAM', 'misconfigured')],
  [0xc1, status('ROPTPARNOTALLWD', 'misconfigured')],
  [0xc2, status('RINVPARLEN', 'misconfigured')],
  [0xc3, status('RMISSINGOPTPARAM', 'misconfigured')],
  [0xc4, status('RINVOPTPARAMVAL', 'misconfigured')],
  [0x100, status('RSERTYPUNAUTH', 'misconfigured')],
  [0x101, status('RPROHIBITED', 'misconfigured')],
  [0x103, status('RSERTYPDENIED', 'misconfigured')],
  [0x104, status('RINVDCS', 'misconfigured')],
])

/** Told to an SMSC whose receipt could not be kept: it should come again (SMPP 3.4 §5.1.3). */
export const TRY_LATER = 0x64
/** Told to an SMSC that asks for something we do not do. */
export const NO_SUCH_COMMAND = 0x03
/** Told to an SMSC whose packet cannot be read. */
export const NO_SUCH_LENGTH = 0x02

/**
 * Reads a `command_status` other than 0. One that no table knows (vendors have 0x400 to 0x4FF to themselves) is
 * `misconfigured`: an explicit refusal, so nothing was taken; another provider may do better; an operator should look.
 */
export function meaningOfStatus(commandStatus: number): { readonly why: Refusal; readonly code: string } {
  const known = SMPP_STATUSES.get(commandStatus)
  if (known !== undefined) return { why: known.why, code: known.name }
  return { why: 'misconfigured', code: `0x${commandStatus.toString(16).padStart(8, '0')}` }
}

/** What the state in a receipt means: how far the message came, and why no further. */
export type State = { readonly stat: string; readonly progress: Progress; readonly why?: Refusal }

/**
 * The states of a message, each at its `message_state` number. Sources: SMPP 3.4 §5.2.28 for the numbers, appendix B
 * (table B-2) for the words of the text form; 0 and 9 are SMPP 5.0 §4.7.15's.
 *
 * UNKNOWN is the SMSC's "I cannot tell": the message went out and nothing more is known. ACCEPTD is what some SMSCs
 * say on the way to the phone. DELETED and REJECTD are somebody's decision, which another provider must not undo.
 */
export const SMPP_STATES: readonly State[] = [
  { stat: 'SCHEDULED', progress: 'queued' },
  { stat: 'ENROUTE', progress: 'sent' },
  { stat: 'DELIVRD', progress: 'delivered' },
  { stat: 'EXPIRED', progress: 'undelivered', why: 'unavailable' },
  { stat: 'DELETED', progress: 'undelivered', why: 'blocked' },
  { stat: 'UNDELIV', progress: 'undelivered', why: 'unavailable' },
  { stat: 'ACCEPTD', progress: 'sent' },
  { stat: 'UNKNOWN', progress: 'sent' },
  { stat: 'REJECTD', progress: 'undelivered', why: 'blocked' },
  { stat: 'SKIPPED', progress: 'undelivered', why: 'unavailable' },
]

/**
 * What a GSM network says of a message that it did not deliver. Source: 3GPP TS 29.002 §17.6.6, the local values of
 * MAP errors. Only what says more than UNDELIV does; the rest is a phone out of reach.
 */
export const GSM_ERRORS: ReadonlyMap<number, Refusal> = new Map<number, Refusal>([
  [1, 'bad_number'], // unknownSubscriber
  [5, 'bad_number'], // unidentifiedSubscriber
  [9, 'blocked'], // illegalSubscriber
  [10, 'wrong_channel'], // bearerServiceNotProvisioned
  [11, 'wrong_channel'], // teleserviceNotProvisioned: the line takes no text
  [12, 'blocked'], // illegalEquipment
  [13, 'blocked'], // callBarred
  [21, 'wrong_channel'], // facilityNotSupported
])
