import { createHash } from 'node:crypto'
import Sdk from 'twilio'
import { describe, expect, test } from 'vitest'
import type { Receipt } from '../../src/messaging/provider.ts'
import { TWILIO_CODES } from '../../src/providers/twilio-codes.ts'
import { callback, encode, post, read, refusalOf, SID, TOKEN, URL_OK, type Form } from './twilio-callbacks.ts'

function receiptOf(form: Form): Partial<Receipt> | undefined {
  const told = read(callback({ MessageSid: SID, ...form }))
  if ('refused' in told) throw new Error(told.refused)
  return told[0]
}

describe('what a status callback of Twilio’s says', () => {
  test.each([
    ['accepted', 'queued'],
    ['scheduled', 'queued'],
    ['queued', 'queued'],
    ['sending', 'queued'],
    ['sent', 'sent'],
    ['partially_delivered', 'sent'],
    ['delivered', 'delivered'],
    ['undelivered', 'undelivered'],
    ['failed', 'undelivered'],
    ['canceled', 'undelivered'],
    ['read', 'read'],
  ])('%s is %s', (MessageStatus, progress) => {
    expect(read(callback({ MessageSid: SID, MessageStatus }))).toEqual([{ ref: SID, progress }])
  })

  test('a whole callback, with what we do not know beside it', () => {
    const form = {
      AccountSid: `AC${'0a'.repeat(16)}`,
      ApiVersion: '2010-04-01',
      From: '+15005550006',
      To: '+14155552671',
      MessageSid: SID,
      MessageStatus: 'undelivered',
      SmsSid: SID,
      SmsStatus: 'undelivered',
      ErrorCode: '30006',
      RawDlrDoneDate: '2601151158',
      SomethingNew: 'nie weitergeben ✓ + 100 %',
    }
    const at = Date.UTC(2026, 0, 15, 11, 58)
    expect(read(callback(form))).toEqual([
      { ref: SID, progress: 'undelivered', why: 'wrong_channel', code: '30006', at },
    ])
  })

  test('every known code has its meaning; an unknown one is handed on without', () => {
    for (const [code, why] of TWILIO_CODES) {
      expect(receiptOf({ MessageStatus: 'failed', ErrorCode: `${code}` })).toMatchObject({
        why,
        code: `${code}`,
      })
    }
    expect(receiptOf({ MessageStatus: 'failed', ErrorCode: '39999' })).toEqual({
      ref: SID,
      progress: 'undelivered',
      code: '39999',
    })
  })

  test('a message that arrived has no reason why it did not', () => {
    expect(receiptOf({ MessageStatus: 'delivered', ErrorCode: '30006' })).not.toHaveProperty('why')
  })

  test.each(['', '0', '-1', '30 006', '30006; drop', '1e4', '９９９９', '1'.repeat(40)])(
    'an ErrorCode of %j is none',
    (ErrorCode) => {
      expect(receiptOf({ MessageStatus: 'failed', ErrorCode })).toEqual({ ref: SID, progress: 'undelivered' })
    },
  )

  test.each([
    ['2601151158', Date.UTC(2026, 0, 15, 11, 58)],
    ['260115115859', Date.UTC(2026, 0, 15, 11, 58, 59)],
    ['2601151201', Date.UTC(2026, 0, 15, 12, 1)],
    ['2601151202', undefined],
    ['2601152359', undefined],
    ['2502290000', undefined],
    ['2513010000', undefined],
    ['2501012400', undefined],
    ['2501010060', undefined],
    ['0000000000', undefined],
    ['20260115115859', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ])('a RawDlrDoneDate of %j is %s', (RawDlrDoneDate, at) => {
    expect(receiptOf({ MessageStatus: 'delivered', RawDlrDoneDate })?.at).toBe(at)
  })

  test('a status of an incoming message, or one yet to be invented, is signed and no receipt', () => {
    for (const MessageStatus of ['receiving', 'received', 'toString', '']) {
      expect(read(callback({ MessageSid: SID, MessageStatus }))).toEqual([])
    }
  })

  test('without a status, or an id of a message, or with two of either, it is malformed', () => {
    const ok = { MessageSid: SID, MessageStatus: 'sent' }
    const forms: Form[] = [
      {},
      { MessageSid: SID },
      { MessageStatus: 'sent' },
      { ...ok, MessageSid: 'SM1' },
      { ...ok, MessageSid: `${SID}\n` },
      { ...ok, MessageSid: `CA${'3d'.repeat(16)}` },
      { ...ok, MessageSid: [SID, `SM${'4e'.repeat(16)}`] },
      { ...ok, MessageStatus: ['sent', 'delivered'] },
    ]
    for (const form of forms) expect(read(callback(form))).toEqual({ refused: 'malformed' })
    expect(read(callback({ ...ok, MessageStatus: ['sent', 'sent'] }))).toMatchObject([{ progress: 'sent' }])
  })

  test('a JSON body is signed by its hash in the address', () => {
    const body = JSON.stringify({
      MessageSid: SID,
      MessageStatus: 'failed',
      ErrorCode: 30003,
      More: { a: 1 },
    })
    const url = (text: string) => `${URL_OK}?bodySHA256=${createHash('sha256').update(text).digest('hex')}`
    const signed = (text: string, sent = text) =>
      read(post(sent, url(text), Sdk.getExpectedTwilioSignature(TOKEN, url(text), {})))
    expect(signed(body)).toEqual([{ ref: SID, progress: 'undelivered', why: 'unavailable', code: '30003' }])
    expect(signed(body, body.replace('failed', 'sent'))).toEqual({ refused: 'forged' })
    for (const text of ['', '[]', 'null', '7', '{', encode({ MessageSid: SID, MessageStatus: 'sent' })]) {
      expect(signed(text)).toEqual({ refused: 'malformed' })
    }
  })
})

describe('whose send it was', () => {
  const form = { MessageSid: SID, MessageStatus: 'sent' }
  const sendOf = (url: string) => {
    const told = read(callback(form, url))
    return 'refused' in told ? told.refused : told[0]?.send
  }

  test('the id of the send comes back with the address, whatever else that holds', () => {
    for (const url of [`${URL_OK}?send=snd_0a1b`, `${URL_OK}?tenant=a%20b&send=snd_0a1b&x=1`]) {
      expect(sendOf(url)).toBe('snd_0a1b')
    }
    expect(sendOf(URL_OK)).toBeUndefined()
  })

  test.each(['', 'snd_', 'msg_0a1b', 'snd_0A1B', 'snd_0a1b%00', `snd_${'a'.repeat(200)}`])(
    '%j is no id of one',
    (id) => {
      expect(sendOf(`${URL_OK}?send=${id}`)).toBe(id === 'snd_' ? id : undefined)
    },
  )

  test('two ids are none', () => {
    expect(sendOf(`${URL_OK}?send=snd_1&send=snd_2`)).toBeUndefined()
  })

  test('an id that Twilio has not signed is forged', () => {
    const { url, ...rest } = callback(form, `${URL_OK}?send=snd_0a1b`)
    expect(refusalOf({ ...rest, url: url.replace('0a1b', '0a1c') })).toBe('forged')
    expect(refusalOf({ ...rest, url: URL_OK })).toBe('forged')
  })
})

describe('what a status callback of a call says', () => {
  const CALL = `CA${'3d'.repeat(16)}`
  const callReceipt = (more: Form) => read(callback({ CallSid: CALL, ...more }))

  test.each([
    ['queued', 'queued'],
    ['initiated', 'queued'],
    ['ringing', 'sent'],
    ['in-progress', 'sent'],
    ['completed', 'delivered'],
  ])('%s is %s', (CallStatus, progress) => {
    expect(callReceipt({ CallStatus, ErrorCode: '21214', SipResponseCode: '200' })).toEqual([
      { ref: CALL, progress },
    ])
  })

  test.each<[string, Form, string, string]>([
    ['busy', { SipResponseCode: '486' }, 'unavailable', 'busy'],
    ['no-answer', { SipResponseCode: '487' }, 'unavailable', 'no-answer'],
    ['canceled', {}, 'unavailable', 'canceled'],
    ['failed', {}, 'unavailable', 'failed'],
    ['failed', { SipResponseCode: '503' }, 'unavailable', 'failed'],
    ['failed', { SipResponseCode: '404' }, 'bad_number', 'failed'],
    ['failed', { SipResponseCode: '604' }, 'bad_number', 'failed'],
    ['busy', { SipResponseCode: '404' }, 'unavailable', 'busy'],
    ['failed', { SipResponseCode: '404', ErrorCode: '13225' }, 'blocked', '13225'],
    ['failed', { ErrorCode: '39999' }, 'unavailable', '39999'],
  ])('%s with %j is undelivered: %s', (CallStatus, more, why, code) => {
    expect(callReceipt({ CallStatus, ...more })).toEqual([{ ref: CALL, progress: 'undelivered', why, code }])
  })

  test('a whole callback, with the id of the send in its address', () => {
    const form = {
      AccountSid: `AC${'0a'.repeat(16)}`,
      ApiVersion: '2010-04-01',
      CallbackSource: 'call-progress-events',
      CallDuration: '24',
      CallSid: CALL,
      CallStatus: 'completed',
      Called: '+14155552671',
      Direction: 'outbound-api',
      Duration: '1',
      From: '+15005550006',
      SequenceNumber: '1',
      SipResponseCode: '200',
      Timestamp: 'Thu, 15 Jan 2026 11:59:59 +0000',
      To: '+14155552671',
    }
    const at = Date.UTC(2026, 0, 15, 11, 59, 59)
    expect(read(callback(form, `${URL_OK}?send=snd_1`))).toEqual([
      { ref: CALL, progress: 'delivered', at, send: 'snd_1' },
    ])
  })

  test.each(['Thu, 15 Jan 2026 12:02:00 +0000', 'Thu, 99 Jan 2026 12:02:00 +0000', '2026-01-15', ''])(
    'a Timestamp of %j is none',
    (Timestamp) =>
      expect(callReceipt({ CallStatus: 'ringing', Timestamp })).toEqual([{ ref: CALL, progress: 'sent' }]),
  )

  test('a status yet to be invented is no receipt; one without an id, or of two things, is malformed', () => {
    expect(callReceipt({ CallStatus: 'toString' })).toEqual([])
    const ok = { CallSid: CALL, CallStatus: 'completed' }
    const forms: Form[] = [
      { CallStatus: 'completed' },
      { CallSid: CALL },
      { ...ok, CallSid: SID },
      { ...ok, MessageSid: SID, MessageStatus: 'sent' },
      { ...ok, CallStatus: ['completed', 'busy'] },
    ]
    for (const form of forms) expect(read(callback(form))).toEqual({ refused: 'malformed' })
  })
})
