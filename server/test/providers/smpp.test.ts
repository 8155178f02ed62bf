import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { findProgram } from '../../../scripts/services/tools.ts'
import type { Message, Provider, Receipt, Sent } from '../../src/messaging/provider.ts'
import { SMPP_STATES, SMPP_STATUSES } from '../../src/providers/smpp-codes.ts'
import { makeSmppProvider } from '../../src/providers/smpp.ts'
import type { SmppSettings } from '../../src/providers/smpp-settings.ts'
import { deadUrl } from '../conformance/provider-faults.ts'
import { makeFolder } from '../helpers/process.ts'
import { receipt, startSmsc, type ScriptedSmsc } from './smpp-server.ts'

const MESSAGE: Message = {
  id: 'snd_1',
  to: '+14155550100',
  channel: 'sms',
  country: 'US',
  body: 'Your code is 123456',
  validitySeconds: 600,
}
const NEVER = new AbortController().signal
const TIMEOUT_SECONDS = 0.4
const LONG = 'A text that no single message holds, for it has [brackets] and €. '.repeat(5)

let smsc: ScriptedSmsc
const open: Provider[] = []

async function make(settings: Partial<SmppSettings> = {}): Promise<Provider> {
  const provider = await makeSmppProvider(
    { url: smsc.url, from: 'Example', responseTimeoutSeconds: TIMEOUT_SECONDS, reconnectMs: 20, ...settings },
    { randomInt: () => 0 },
  )
  open.push(provider)
  return provider
}

/** Sends, and checks what holds of every answer: nothing of the message is in it. */
async function send(provider: Provider, message: Partial<Message> = {}, signal = NEVER): Promise<Sent> {
  const sent = await provider.send({ ...MESSAGE, ...message }, signal)
  for (const secret of ['123456', '4155550100', 'p@ss']) expect(JSON.stringify(sent)).not.toContain(secret)
  return sent
}

const bodyOf = (index: number) =>
  smsc.submits[index]?.['short_message'] as { message: string; udh?: Buffer[] }
const isBound = async (provider: Provider) => (await provider.probe?.(NEVER))?.ok

beforeEach(async () => {
  smsc = await startSmsc()
})
afterEach(async () => {
  smsc.isAlive = true
  for (const provider of open.splice(0)) await provider.close?.()
  await smsc.close()
})

describe('sending', () => {
  test('binds as a transceiver of version 3.4 with the user and password of the URL', async () => {
    const provider = await make()
    expect(await provider.probe?.(NEVER)).toEqual({ ok: true, detail: 'bound' })
    expect(smsc.binds).toMatchObject([{ system_id: 'tester', password: 'p@ss', interface_version: 0x34 }])
  })

  test('hands back the SMSC’s id, after one submit that says all of the message', async () => {
    expect(await send(await make())).toEqual({ ok: true, ref: 'm1' })
    expect(smsc.submits).toHaveLength(1)
    expect(smsc.submits[0]).toMatchObject({
      source_addr_ton: 5,
      source_addr_npi: 0,
      source_addr: 'Example',
      dest_addr_ton: 1,
      dest_addr_npi: 1,
      destination_addr: '14155550100',
      data_coding: 0,
      esm_class: 0,
      registered_delivery: 0,
      short_message: { message: MESSAGE.body },
    })
    const validUntil = smsc.submits[0]?.['validity_period'] as Date
    expect(Math.abs(validUntil.getTime() - Date.now() - 600_000)).toBeLessThan(2_000)
  })

  test('asks for a receipt once somebody listens', async () => {
    const provider = await make()
    provider.hear?.(async () => undefined)
    await send(provider)
    expect(smsc.submits[0]).toMatchObject({ registered_delivery: 1 })
  })

  test('sends a text outside GSM-7 as UCS-2', async () => {
    await send(await make(), { body: 'Ваш код 😀' })
    expect(smsc.submits[0]).toMatchObject({ data_coding: 8, short_message: { message: 'Ваш код 😀' } })
  })

  test('sends a long text in parts with a header, of which the last has the receipt and the id', async () => {
    const provider = await make()
    provider.hear?.(async () => undefined)
    expect(await send(provider, { body: LONG })).toEqual({ ok: true, ref: 'm3' })
    expect(smsc.submits.map((submit) => submit['esm_class'])).toEqual([0x40, 0x40, 0x40])
    expect(smsc.submits.map((submit) => submit['registered_delivery'])).toEqual([0, 0, 1])
    expect([0, 1, 2].map((part) => bodyOf(part).message).join('')).toBe(LONG)
    const headers = [0, 1, 2].map((part) => bodyOf(part).udh?.[0])
    expect(headers.map((header) => [...(header?.subarray(3) ?? [])])).toEqual([
      [3, 1],
      [3, 2],
      [3, 3],
    ])
    expect(new Set(headers.map((header) => header?.[2])).size).toBe(1)
  })

  test('sends a long text whole where told to', async () => {
    const provider = await make({ longTexts: 'payload' })
    expect(await send(provider, { body: LONG })).toEqual({ ok: true, ref: 'm1' })
    expect(smsc.submits[0]).toMatchObject({ message_payload: { message: LONG } })
  })

  test('refuses at home what no SMSC can carry', async () => {
    const provider = await make()
    expect(await send(provider, { channel: 'call' })).toMatchObject({ why: 'misconfigured' })
    expect(await send(provider, { body: 'x'.repeat(1_601) })).toMatchObject({ why: 'misconfigured' })
    expect(await send(provider, { to: '4155550100' })).toMatchObject({ why: 'bad_number' })
    expect(smsc.submits).toHaveLength(0)
  })

  test('carries many messages at once, each with its own id, never more on the wire than the window', async () => {
    const provider = await make({ window: 7, queue: 200 })
    smsc.play = () => 'hold'
    const releasing = setInterval(() => smsc.release('last'), 3)
    const all = await Promise.all(Array.from({ length: 120 }, () => send(provider)))
    clearInterval(releasing)
    expect(new Set(all.map((sent) => sent.ok && sent.ref)).size).toBe(120)
    expect(smsc.heldMost).toBe(7)
  })

  test('gives each answer to its own message, in whatever order answers come', async () => {
    const provider = await make()
    smsc.play = () => 'hold'
    const all = Promise.all([send(provider), send(provider), send(provider)])
    await vi.waitUntil(() => smsc.submits.length === 3)
    smsc.release('last')
    expect(await all).toEqual(['m1', 'm2', 'm3'].map((ref) => ({ ok: true, ref })))
  })
})

describe('what answers mean', () => {
  test.each([...SMPP_STATUSES])(
    'status %d is told as its name and our word',
    async (status, { name, why }) => {
      smsc.play = () => status
      const provider = await make()
      expect(await send(provider)).toEqual({ ok: false, why, code: name })
      expect(smsc.submits).toHaveLength(1)
    },
  )

  test.each([
    [0x58, 'throttled'],
    [0x14, 'throttled'],
    [0x0b, 'bad_number'],
    [0x08, 'unavailable'],
    [0x0a, 'misconfigured'],
  ])('status %d is %s', (status, why) => expect(SMPP_STATUSES.get(status)?.why).toBe(why))

  test('a vendor’s own status is misconfigured', async () => {
    smsc.play = () => 0x410
    expect(await send(await make())).toEqual({ ok: false, why: 'misconfigured', code: '0x00000410' })
  })

  test.each([
    ['silent', 'timeout'],
    ['cut', 'link_lost'],
    ['half', 'link_lost'],
    ['noise', 'link_lost'],
    ['no_id', 'garbled'],
    ['wrong_command', 'garbled'],
  ] as const)('an answer that is lost is unknown, and nothing is sent again: %s', async (play, code) => {
    smsc.play = () => play
    const provider = await make()
    const startedMs = performance.now()
    expect(await send(provider)).toEqual({ ok: false, why: 'unknown', code })
    expect(performance.now() - startedMs).toBeLessThan(TIMEOUT_SECONDS * 1_000 + 500)
    smsc.play = () => 'accept'
    await vi.waitUntil(() => isBound(provider), { timeout: 3_000 })
    expect(smsc.submits).toHaveLength(1)
    expect(await send(provider)).toMatchObject({ ok: true })
  })

  test('a generic_nack is a refusal', async () => {
    smsc.play = () => 'nack'
    expect(await send(await make())).toEqual({ ok: false, why: 'misconfigured', code: 'ESME_RINVCMDID' })
  })

  test('a long text is refused when every part was, and unknown when only some were', async () => {
    smsc.play = () => 0x58
    const provider = await make()
    expect(await send(provider, { body: LONG })).toMatchObject({ why: 'throttled' })
    smsc.play = (_, index) => (index === 4 ? 0x58 : 'accept')
    expect(await send(provider, { body: LONG })).toEqual({
      ok: false,
      why: 'unknown',
      code: 'ESME_RTHROTTLED',
    })
  })

  test('what finds no place in window and queue is throttled, and so is what waits too long', async () => {
    smsc.play = () => 'silent'
    const provider = await make({ window: 2, queue: 25, responseTimeoutSeconds: 0.2 })
    const all = await Promise.all(Array.from({ length: 40 }, () => send(provider)))
    const codes = all.map((sent) => (sent.ok ? 'ok' : `${sent.why} ${sent.code}`))
    expect(codes.filter((code) => code === 'throttled queue_full')).toHaveLength(13)
    expect(codes.slice(0, 2)).toEqual(['unknown timeout', 'unknown timeout'])
    expect(codes.slice(2, 27).every((code) => /^(throttled queue_slow|unknown timeout)$/.test(code))).toBe(
      true,
    )
    expect(codes).toContain('throttled queue_slow')
  })

  test('a long text that finds places for only some of its parts sends none', async () => {
    smsc.play = () => 'hold'
    const provider = await make({ window: 1, queue: 25 })
    const first = Array.from({ length: 24 }, () => send(provider))
    expect(await send(provider, { body: LONG })).toMatchObject({ why: 'throttled', code: 'queue_full' })
    await vi.waitUntil(() => smsc.submits.length === 1)
    smsc.play = () => 'accept'
    smsc.release()
    expect((await Promise.all(first)).every((sent) => sent.ok)).toBe(true)
    expect(smsc.submits).toHaveLength(24)
  })

  test('a caller who gives up learns whether it may have left, and the window still counts it', async () => {
    smsc.play = () => 'hold'
    const provider = await make({ window: 1, responseTimeoutSeconds: 10 })
    expect(await send(provider, {}, AbortSignal.abort())).toMatchObject({
      why: 'unavailable',
      code: 'aborted',
    })
    const aborter = new AbortController()
    const both = Promise.all([send(provider, {}, aborter.signal), send(provider, {}, aborter.signal)])
    await vi.waitUntil(() => smsc.submits.length === 1)
    aborter.abort()
    expect(await both).toEqual([
      { ok: false, why: 'unknown', code: 'aborted' },
      { ok: false, why: 'unavailable', code: 'aborted' },
    ])
    const third = send(provider)
    await sleep(50)
    expect(smsc.submits).toHaveLength(1)
    smsc.release()
    await vi.waitUntil(() => smsc.submits.length === 2)
    smsc.release()
    expect(await third).toEqual({ ok: true, ref: 'm2' })
  })
})

describe('the link', () => {
  test('without a bind a send is refused at once', async () => {
    const provider = await make({ url: (await deadUrl()).replace('http://', 'smpp://u:p@') })
    const startedMs = performance.now()
    expect(await send(provider)).toEqual({ ok: false, why: 'unavailable', code: 'ECONNREFUSED' })
    expect(performance.now() - startedMs).toBeLessThan(TIMEOUT_SECONDS * 1_000 - 50)
    expect(await provider.probe?.(NEVER)).toEqual({ ok: false, detail: 'not bound: ECONNREFUSED' })
  })

  test('a refused bind names its reason, is tried again, and heals', async () => {
    smsc.bindStatus = 0x0e
    const provider = await make()
    expect(await send(provider)).toEqual({ ok: false, why: 'misconfigured', code: 'ESME_RINVPASWD' })
    smsc.bindStatus = 0
    await vi.waitUntil(() => isBound(provider), { timeout: 3_000 })
    expect(await send(provider)).toMatchObject({ ok: true })
  })

  test('what is on the wire when the link is lost is unknown, what waits is not', async () => {
    smsc.play = () => 'hold'
    const provider = await make({ window: 2 })
    const all = Promise.all(Array.from({ length: 5 }, () => send(provider)))
    await vi.waitUntil(() => smsc.submits.length === 2)
    smsc.cut()
    expect((await all).map((sent) => (sent.ok ? 'ok' : sent.why))).toEqual([
      'unknown',
      'unknown',
      'unavailable',
      'unavailable',
      'unavailable',
    ])
    expect(await send(provider)).toEqual({ ok: false, why: 'unavailable', code: 'not_bound' })
    smsc.play = () => 'accept'
    await vi.waitUntil(() => isBound(provider), { timeout: 3_000 })
    expect(await send(provider)).toMatchObject({ ok: true })
    expect(smsc.binds).toHaveLength(2)
  })

  test('waits longer before each further try to bind', async () => {
    smsc.bindStatus = 0x0d
    await make({ reconnectMs: 40 })
    await sleep(700)
    // After 20, 40, 80, 160 and 320 ms: a pause's lesser half, for the dice say 0.
    expect(smsc.binds.length).toBeGreaterThanOrEqual(4)
    expect(smsc.binds.length).toBeLessThanOrEqual(6)
  })

  test('an SMSC that does not answer enquire_link is left, and bound again', async () => {
    const provider = await make({ enquireSeconds: 0.05, responseTimeoutSeconds: 0.2 })
    await vi.waitUntil(() => smsc.asked.filter((name) => name === 'enquire_link').length >= 2)
    expect(smsc.binds).toHaveLength(1)
    smsc.isAlive = false
    await vi.waitUntil(() => smsc.binds.length >= 2, { timeout: 3_000 })
    smsc.isAlive = true
    await vi.waitUntil(() => isBound(provider), { timeout: 3_000 })
  })

  test('a submit without an answer asks at once whether the link lives', async () => {
    smsc.play = () => 'silent'
    const provider = await make()
    await send(provider)
    await vi.waitUntil(() => smsc.asked.includes('enquire_link'))
    expect(smsc.binds).toHaveLength(1)
  })

  test('answers the SMSC’s own enquire_link, and binds again after its unbind', async () => {
    const provider = await make()
    smsc.unbind()
    await vi.waitUntil(() => smsc.binds.length === 2, { timeout: 3_000 })
    await vi.waitUntil(() => isBound(provider), { timeout: 3_000 })
  })

  test('closing lets what has left be answered, refuses the rest, and unbinds', async () => {
    smsc.play = () => 'hold'
    const provider = await make({ window: 1 })
    const both = Promise.all([send(provider), send(provider)])
    await vi.waitUntil(() => smsc.submits.length === 1)
    const closed = provider.close?.()
    await sleep(30)
    smsc.release()
    expect(await both).toEqual([
      { ok: true, ref: 'm1' },
      { ok: false, why: 'unavailable', code: 'closed' },
    ])
    await closed
    await provider.close?.()
    expect(smsc.asked.at(-1)).toBe('unbind')
    expect(await send(provider)).toEqual({ ok: false, why: 'unavailable', code: 'closed' })
    await sleep(100)
    expect(smsc.binds).toHaveLength(1)
    expect(smsc.links()).toBe(0)
  })
})

describe('receipts', () => {
  async function listening(settings: Partial<SmppSettings> = {}, keep = async (_: Receipt) => {}) {
    const heard: Receipt[] = []
    const provider = await make(settings)
    provider.hear?.(async (told) => {
      heard.push(told)
      await keep(told)
    })
    return { provider, heard }
  }
  const delivered = (ref: string) => ({ ref, progress: 'delivered' })

  test('are answered once the listener has kept them, and not before', async () => {
    let keep: () => void = () => undefined
    const { heard } = await listening({}, () => new Promise((resolve) => (keep = resolve)))
    smsc.deliver(receipt('m1'))
    await vi.waitUntil(() => heard.length === 1)
    await sleep(50)
    expect(smsc.answers).toEqual([])
    keep()
    await vi.waitUntil(() => smsc.answers.length === 1)
    expect(smsc.answers).toEqual([0])
    expect(heard).toEqual([delivered('m1')])
  })

  test('that could not be kept are asked for again', async () => {
    const { heard } = await listening({}, () => Promise.reject(new Error('the store is away')))
    smsc.deliver(receipt('m1'))
    await vi.waitUntil(() => smsc.answers.length === 1)
    expect(smsc.answers).toEqual([0x64])
    expect(heard).toHaveLength(1)
  })

  test('that nobody listens to are asked for again', async () => {
    await make()
    smsc.deliver(receipt('m1'))
    await vi.waitUntil(() => smsc.answers.length === 1)
    expect(smsc.answers).toEqual([0x64])
  })

  test('that come faster than they are kept are put off, beyond a thousand', async () => {
    await listening({}, () => new Promise(() => undefined))
    for (let index = 0; index < 1_010; index++) smsc.deliver(receipt(`m${index}`))
    await vi.waitUntil(() => smsc.answers.length === 10)
    expect(new Set(smsc.answers)).toEqual(new Set([0x64]))
  })

  test('that come twice or out of order are each told and answered', async () => {
    const { heard } = await listening()
    for (const id of ['m2', 'm1', 'm2']) smsc.deliver(receipt(id))
    await vi.waitUntil(() => smsc.answers.length === 3)
    expect(heard).toEqual(['m2', 'm1', 'm2'].map(delivered))
  })

  test('that come before the answer to their submit are told with the same ref', async () => {
    smsc.play = () => 'receipt_first'
    const { provider, heard } = await listening()
    expect(await send(provider)).toEqual({ ok: true, ref: 'm1' })
    await vi.waitUntil(() => heard.length === 1)
    expect(heard).toEqual([delivered('m1')])
  })

  test.each(SMPP_STATES.map((state, number) => ({ ...state, number })))(
    '$stat by TLV and by word',
    async ({ stat, progress, why, number }) => {
      const { heard } = await listening()
      const { short_message } = receipt('m1', stat, number, '000')
      smsc.deliver({ esm_class: 4, receipted_message_id: 'm1', message_state: number })
      smsc.deliver({ esm_class: 4, short_message })
      await vi.waitUntil(() => smsc.answers.length === 2)
      const told = { ref: 'm1', progress, ...(why === undefined ? {} : { why, code: stat }) }
      expect(heard).toEqual([told, told])
    },
  )

  test.each([
    ['TLVs before words', {}, { ...receipt('m1', 'UNDELIV', 2), message_state: 2 }, delivered('m1')],
    ['words in full', {}, { esm_class: 4, short_message: 'id:m1 stat:DELIVERED err:0' }, delivered('m1')],
    ['lower case', {}, { esm_class: 4, short_message: 'ID:m1 Stat:delivrd Err:0' }, delivered('m1')],
    ['words as payload', {}, { esm_class: 4, message_payload: 'id:m1 stat:DELIVRD err:0' }, delivered('m1')],
    ['a receipt by its TLV alone', {}, { receipted_message_id: 'm1', message_state: 2 }, delivered('m1')],
    [
      'an intermediate one',
      {},
      { esm_class: 0x20, short_message: 'id:m1 stat:ENROUTE' },
      { ref: 'm1', progress: 'sent' },
    ],
    [
      'an error of the SMSC’s own',
      {},
      { esm_class: 4, short_message: 'id:m1 stat:UNDELIV err:001' },
      { ref: 'm1', progress: 'undelivered', why: 'unavailable', code: 'UNDELIV:001' },
    ],
    [
      'an error of GSM by setting',
      { gsmErrors: true },
      { esm_class: 4, short_message: 'id:m1 stat:UNDELIV err:001' },
      { ref: 'm1', progress: 'undelivered', why: 'bad_number', code: 'UNDELIV:001' },
    ],
    [
      'an error of GSM by TLV',
      {},
      { ...receipt('m1', 'UNDELIV', 5), network_error_code: Buffer.from([3, 0, 11]) },
      { ref: 'm1', progress: 'undelivered', why: 'wrong_channel', code: 'UNDELIV:11' },
    ],
    [
      'hexadecimal answers, decimal receipts',
      { messageIds: 'hex_decimal' },
      { esm_class: 4, short_message: 'id:0000655361 stat:DELIVRD' },
      delivered('655361'),
    ],
  ] as const)('%s', async (_, settings, fields, told) => {
    const { heard } = await listening(settings)
    smsc.deliver(fields)
    await vi.waitUntil(() => smsc.answers.length === 1)
    expect(heard).toEqual([told])
  })

  test.each([
    ['a person’s text in the words of a receipt', { short_message: 'id:m1 sub:001 stat:DELIVRD err:000' }],
    ['a receipt without an id', { esm_class: 4, short_message: 'stat:DELIVRD' }],
    ['a receipt of an unknown state', { esm_class: 4, short_message: 'id:m1 stat:WHATEVER' }],
    ['words of our own text', { esm_class: 4, short_message: 'text:id:m1 stat:DELIVRD' }],
    ['an id of two lines', { esm_class: 4, short_message: 'id:\u0001 stat:DELIVRD' }],
  ])('are none: %s. It is answered and not told', async (_, fields) => {
    const { heard } = await listening()
    smsc.deliver(fields)
    await vi.waitUntil(() => smsc.answers.length === 1)
    expect({ heard, answers: smsc.answers }).toEqual({ heard: [], answers: [0] })
  })

  test('a packet that cannot be read is refused and the link goes on', async () => {
    const { provider } = await listening()
    const broken = Buffer.from('0000001300000005000000000000004d0d0102', 'hex')
    smsc.write(broken)
    smsc.write(Buffer.from('00000010000000990000000000000001', 'hex'))
    await vi.waitUntil(() => smsc.asked.filter((name) => name === 'generic_nack').length >= 1)
    expect(await send(provider)).toMatchObject({ ok: true })
    expect(smsc.binds).toHaveLength(1)
  })
})

describe('settings', () => {
  test.each([
    [{ url: 'http://a:b@host' }, 'url'],
    [{ url: 'smpp://host' }, 'user'],
    [{ url: 'smpp://a:%zz@host' }, 'password'],
    [{ from: 'far too long a name' }, 'from'],
    [{ window: 0 }, 'window'],
    [{ queue: 1 }, 'queue'],
    [{ responseTimeoutSeconds: 0 }, 'responseTimeoutSeconds'],
  ])('%j is refused by name, without its value', async (wrong, name) => {
    const text = String(await make(wrong).catch((error: unknown) => error))
    expect(text).toMatch(new RegExp(`SMPP .*${name}`))
    for (const value of Object.values(wrong)) if (typeof value === 'string') expect(text).not.toContain(value)
  })
})

describe.skipIf(findProgram('openssl') === undefined)('TLS', () => {
  test('binds to a certificate that is trusted, and to no other', async () => {
    const folder = makeFolder()
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const made = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ]
    execFileSync('openssl', ['req', ...made, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const ca = readFileSync(cert, 'utf8')
    await smsc.close()
    smsc = await startSmsc({ key: readFileSync(key, 'utf8'), cert: ca })
    const stranger = await make()
    expect(await send(stranger)).toMatchObject({ why: 'unavailable', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect(smsc.binds).toHaveLength(0)
    expect(await send(await make({ ca }))).toEqual({ ok: true, ref: 'm1' })
  })
})
