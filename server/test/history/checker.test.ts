import { expect, test } from 'vitest'
import { violationsOf } from './checker.ts'
import type { Answer, Evidence, Operation, Row } from './evidence.ts'

const TO = '+14152000000'
const [FIRST, SECOND] = ['ver_first', 'ver_second']
const LIMITS = { wrongPerNumberDay: 4, sendsPerNumber: 3, sendsWindowSeconds: 60, sendsPerNumberDay: 4 }

/** A verification of the store: opened at 0 ms, good until 30 s. */
function row(more: Partial<Row> = {}): Row {
  return {
    id: FIRST,
    to: TO,
    purpose: 'verify',
    status: 'pending',
    guesses: 0,
    guessesMax: 5,
    sends: 1,
    sendsMax: 5,
    createdAt: 0,
    expiresAt: 30_000,
    decidedAt: null,
    code: '111111',
    ...more,
  }
}

/** A call that took 10 ms from `at` on; the order of events is that of the times. */
function operation(
  kind: Operation['kind'],
  at: number,
  answer: Answer | undefined,
  more: Partial<Operation> = {},
): Operation {
  const times = { invoked: at, invokedAt: at, returned: at + 10, returnedAt: at + 10 }
  return { kind, server: 'a0', to: TO, purpose: 'verify', ...times, ...(answer ? { answer } : {}), ...more }
}

function opened(at: number, id = FIRST, more: Partial<Operation> = {}): Operation {
  return operation('start', at, { http: 201, id, status: 'pending', sends: ['accepted'] }, more)
}

function checked(at: number, reason: string, more: Partial<Answer> = {}, code = '222222'): Operation {
  const status = reason === 'approved' ? 'approved' : 'pending'
  return operation('check', at, { http: 200, id: FIRST, status, reason, ...more }, { id: FIRST, code })
}

function approved(at: number): Operation {
  return checked(at, 'approved', { hasProof: true }, '111111')
}

const lost = (at: number, kind: Operation['kind'] = 'check') => operation(kind, at, undefined, { id: FIRST })
const send = { owner: FIRST, status: 'accepted', at: 5, turns: 1 }
const message = { to: TO, code: '111111', purpose: 'verify', at: 7 }

/** One verification that was opened and whose message came, and what else is told. */
function history(operations: readonly Operation[], more: Partial<Evidence> = {}): Evidence {
  return {
    limits: LIMITS,
    clockErrorMs: 0,
    operations: [opened(0), ...operations],
    rows: [row()],
    sends: [send],
    messages: [message],
    disturbances: [],
    ...more,
  }
}

const found = (evidence: Evidence) => [...new Set(violationsOf(evidence).map(({ invariant }) => invariant))]
const approvedRow = row({ status: 'approved', guesses: 1, decidedAt: 105 })

test('what is right is found right, whatever became of calls that nobody heard of again', () => {
  const { operations, ...rest } = history([])
  const good: Evidence[] = [
    { operations, ...rest },
    history([approved(100), checked(200, 'already_used', { status: 'approved' })], { rows: [approvedRow] }),
    // Approved, and nobody was told.
    history([lost(100), checked(200, 'already_used', { status: 'approved' })], { rows: [approvedRow] }),
    history([checked(100, 'wrong_code', { checksLeft: 4 }), lost(200)], { rows: [row({ guesses: 2 })] }),
    // Expired in the eyes of a reader while an approval that was decided in time was being kept.
    history(
      [
        operation('read', 29_995, { http: 200, id: FIRST, status: 'expired' }, { id: FIRST }),
        approved(29_990),
      ],
      {
        rows: [row({ status: 'approved', guesses: 1, decidedAt: 29_999 })],
      },
    ),
    // A start was killed, and its send taken over.
    history([lost(20, 'start')], {
      sends: [{ ...send, turns: 2 }],
      messages: [message, message],
      disturbances: [{ at: 25, what: 'kill -9 a0' }],
    }),
    // The next verification, after the first one's end.
    history([approved(100), opened(200, SECOND)], {
      rows: [approvedRow, row({ id: SECOND, code: '333333', createdAt: 205, expiresAt: 30_205 })],
      sends: [send, { ...send, owner: SECOND }],
      messages: [message, { ...message, code: '333333' }],
    }),
    history([opened(50, FIRST, { key: 'k' }), opened(90, FIRST, { key: 'k' })]),
  ]
  for (const evidence of good) expect(violationsOf(evidence)).toEqual([])
})

const five = [1, 2, 3, 4, 5].map((n) => checked(n * 100, 'wrong_code', { checksLeft: 5 - n }))
const roomy = { limits: { ...LIMITS, wrongPerNumberDay: 20 } }

const bad: readonly (readonly [invariant: string, what: string, evidence: Evidence])[] = [
  ['I0', 'an internal error', history([operation('check', 100, { http: 500 }, { id: FIRST })])],
  [
    'I0',
    'a wrong code that is approved',
    history([checked(100, 'approved', { hasProof: true })], { rows: [approvedRow] }),
  ],
  [
    'I0',
    'a right code that is wrong',
    history([checked(100, 'wrong_code', {}, '111111')], { rows: [row({ guesses: 1 })] }),
  ],
  [
    'I1',
    'six judged, and six counted',
    history([...five, checked(600, 'wrong_code')], { ...roomy, rows: [row({ guesses: 6 })] }),
  ],
  ['I1', 'a judged guess that is not counted', history([checked(100, 'wrong_code')])],
  ['I1', 'a counted guess that nobody made', history([], { rows: [row({ guesses: 1 })] })],
  [
    'I1',
    'two guesses in one place',
    history(
      [
        checked(100, 'wrong_code', { checksLeft: 4 }),
        checked(101, 'wrong_code', { checksLeft: 4 }),
        lost(102),
      ],
      {
        rows: [row({ guesses: 3 })],
      },
    ),
  ],
  [
    'I2',
    'two approvals',
    history([approved(100), approved(101), lost(50)], { rows: [row({ ...approvedRow, guesses: 3 })] }),
  ],
  [
    'I2',
    'a proof for a wrong code',
    history([checked(100, 'wrong_code', { hasProof: true })], { rows: [row({ guesses: 1 })] }),
  ],
  [
    'I3',
    'approved after the end',
    history([approved(30_001)], { rows: [row({ ...approvedRow, decidedAt: 29_999 })] }),
  ],
  [
    'I3',
    'approved after the end, by the store’s clock',
    history([lost(100)], { rows: [row({ ...approvedRow, decidedAt: 30_000 })] }),
  ],
  [
    'I3',
    'a guess judged after the end',
    history([checked(30_001, 'wrong_code')], { rows: [row({ guesses: 1 })] }),
  ],
  ['I4', 'an approval that is lost', history([approved(100)], { rows: [row({ guesses: 1 })] })],
  [
    'I4',
    'a cancel that is lost',
    history([operation('cancel', 100, { http: 200, id: FIRST, status: 'canceled' }, { id: FIRST })]),
  ],
  ['I4', 'a verification that is lost', history([], { rows: [], sends: [], messages: [] })],
  [
    'I4',
    'one that lives again',
    history(
      [approved(100), operation('read', 200, { http: 200, id: FIRST, status: 'pending' }, { id: FIRST })],
      {
        rows: [approvedRow],
      },
    ),
  ],
  [
    'I4',
    'one that lives again after it had expired',
    history([
      checked(100, 'expired', { status: 'expired' }),
      operation('resend', 200, { http: 200, id: FIRST, status: 'pending' }),
    ]),
  ],
  ['I5', 'a message more than was sent', history([], { messages: [message, message] })],
  ['I5', 'a message of another code', history([], { messages: [message, { ...message, code: '999999' }] })],
  ['I5', 'a message that was told and never came', history([], { messages: [] })],
  [
    'I5',
    'a send that was repeated though nobody died over it',
    history([], { sends: [{ ...send, turns: 2 }], messages: [message, message] }),
  ],
  [
    'I5',
    'more sends than a verification may have',
    history([], {
      limits: { ...LIMITS, sendsPerNumber: 10, sendsPerNumberDay: 10 },
      sends: [1, 2, 3, 4, 5, 6].map(() => send),
    }),
  ],
  ['I5', 'more messages than a number gets in a window', history([], { sends: [send, send, send, send] })],
  [
    'I5',
    'more messages than a number gets in a day',
    history([], { sends: [1, 2, 3, 4, 5].map((n) => ({ ...send, at: n * 100_000 })) }),
  ],
  [
    'I6',
    'more wrong guesses than a number takes',
    history(five, { rows: [row({ guesses: 5, status: 'locked' })] }),
  ],
  [
    'I6',
    'the same, and nobody was told',
    history(
      [1, 2, 3, 4, 5].map((n) => lost(n * 100)),
      { rows: [row({ guesses: 5, status: 'locked' })] },
    ),
  ],
  [
    'I7',
    'a key with two verifications',
    history([opened(50, FIRST, { key: 'k' }), approved(100), opened(200, SECOND, { key: 'k' })], {
      rows: [approvedRow, row({ id: SECOND, code: '333333', createdAt: 205, expiresAt: 30_205 })],
      sends: [send, { ...send, owner: SECOND }],
      messages: [message, { ...message, code: '333333' }],
    }),
  ],
  [
    'I7',
    'a key that opened two, and nobody was told',
    history([lost(50, 'start'), lost(200, 'start')], {
      rows: [row({ ...approvedRow, key: 'k' }), row({ id: SECOND, code: '333333', key: 'k' })],
    }),
  ],
  [
    'I8',
    'two that were pending together',
    history([opened(50, SECOND), approved(100)], {
      rows: [approvedRow, row({ id: SECOND, code: '333333', createdAt: 55, expiresAt: 30_055 })],
      sends: [send, { ...send, owner: SECOND }],
      messages: [message, { ...message, code: '333333' }],
    }),
  ],
  [
    'I8',
    'two that are pending at the end',
    history([], { rows: [row(), row({ id: SECOND, code: '333333' })] }),
  ],
]

test.each(bad)('%s is broken by %s', (invariant, _what, evidence) => {
  expect(found(evidence)).toContain(invariant)
})

test('every invariant has a history that breaks it', () => {
  expect(new Set(bad.map(([invariant]) => invariant))).toEqual(
    new Set(['I0', 'I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8']),
  )
})
