import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { startSmsc, type SmscServer } from '../../../scripts/services/smsc.ts'
import type { Message, Provider, Receipt, Sent } from '../../src/messaging/provider.ts'
import { makeSmppProvider } from '../../src/providers/smpp.ts'
import type { SmppSettings } from '../../src/providers/smpp-settings.ts'
import { describeWith, toxiproxy } from '../helpers/services.ts'

const MESSAGE: Message = {
  id: 'snd_1',
  to: '+14155550100',
  channel: 'sms',
  country: 'US',
  body: 'Your code is 123456',
  validitySeconds: 600,
}
const NEVER = new AbortController().signal
const WINDOWS = [1, 10, 50]
const MEASURED = 2_000

const open: Provider[] = []
let smsc: SmscServer

async function make(settings: Partial<SmppSettings> = {}): Promise<Provider> {
  const provider = await makeSmppProvider({
    url: `smpp://tester:secret@127.0.0.1:${smsc.port}`,
    from: '+14155550199',
    responseTimeoutSeconds: 2,
    reconnectMs: 20,
    messageIds: 'hex_decimal',
    ...settings,
  })
  open.push(provider)
  return provider
}

/** The submits the SMSC has got since `before` lines, each in its fields. */
const submits = (before: number) =>
  smsc
    .lines()
    .slice(before)
    .filter((line) => line.startsWith('submit '))
    .map((line) => line.slice('submit '.length).split(' '))

/** Sends `count` messages, never more at once than `atOnce`; every one of them is settled when this resolves. */
async function pour(provider: Provider, count: number, atOnce: number): Promise<Sent[]> {
  const all: Sent[] = []
  let left = count
  const lane = async () => {
    while (left-- > 0) {
      const sent = await provider.send(MESSAGE, NEVER)
      all.push(sent)
      // As a caller would: what is refused at once is not asked again in the same breath.
      if (!sent.ok) await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return all
}

describeWith('smsc', 'SMPP with a foreign SMSC (Net::SMPP)', () => {
  beforeAll(async () => {
    smsc = await startSmsc()
  })
  afterEach(async () => {
    for (const provider of open.splice(0)) await provider.close?.()
  })
  afterAll(async () => smsc.remove())

  test('binds as version 3.4 and unbinds', async () => {
    const before = smsc.lines().length
    const provider = await make()
    expect(await provider.probe?.(NEVER)).toEqual({ ok: true, detail: 'bound' })
    await provider.close?.()
    expect(smsc.lines().slice(before)).toEqual(['bind tester 52', 'unbind'])
  })

  test('sends GSM-7, and the SMSC reads every field', async () => {
    const before = smsc.lines().length
    const sent = await (await make()).send({ ...MESSAGE, body: 'Code @ 5 €' }, NEVER)
    expect(sent).toMatchObject({ ok: true, ref: expect.stringMatching(/^\d+$/) })
    expect(submits(before)).toEqual([
      [
        '1',
        '1',
        '14155550199',
        '1',
        '1',
        '14155550100',
        '0',
        '0',
        '0',
        '000000001000000R',
        '436f646520002035201b65',
      ],
    ])
  })

  test('sends UCS-2', async () => {
    const before = smsc.lines().length
    expect(await (await make()).send({ ...MESSAGE, body: 'Код 😀' }, NEVER)).toMatchObject({ ok: true })
    expect(submits(before).map((fields) => [fields[7], fields[10]])).toEqual([
      ['8', '041a043e04340020d83dde00'],
    ])
  })

  test('sends a long text in parts that together say all of it', async () => {
    const before = smsc.lines().length
    const body = 'A text that no single message holds. '.repeat(10)
    expect(await (await make()).send({ ...MESSAGE, body }, NEVER)).toMatchObject({ ok: true })
    const parts = submits(before)
    expect(parts.map((fields) => fields[6])).toEqual(['64', '64', '64'])
    const octets = parts.map((fields) => Buffer.from(fields[10] ?? '', 'hex'))
    expect(octets.map((part) => [...part.subarray(0, 3), part[4], part[5]])).toEqual(
      [1, 2, 3].map((part) => [5, 0, 3, 3, part]),
    )
    expect(octets.map((part) => part.subarray(6).toString('latin1')).join('')).toBe(body)
  })

  test('sends a long text whole as message_payload', async () => {
    const before = smsc.lines().length
    const body = 'A text that no single message holds. '.repeat(10)
    const provider = await make({ longTexts: 'payload' })
    expect(await provider.send({ ...MESSAGE, body }, NEVER)).toMatchObject({ ok: true })
    expect(submits(before).map((fields) => Buffer.from(fields[10] ?? '', 'hex').toString('latin1'))).toEqual([
      body,
    ])
  })

  test('says a refusal in our words', async () => {
    const provider = await make()
    expect(await provider.send({ ...MESSAGE, to: '+14155550101' }, NEVER)).toEqual({
      ok: false,
      why: 'bad_number',
      code: 'ESME_RINVDSTADR',
    })
    expect(await provider.send({ ...MESSAGE, to: '+14155550102' }, NEVER)).toMatchObject({ why: 'throttled' })
  })

  test('hears receipts by TLV and by words, with the ref that send gave, and answers them', async () => {
    const before = smsc.lines().length
    const provider = await make({ gsmErrors: true })
    const heard = new Map<string, Receipt>()
    provider.hear?.(async (told) => {
      heard.set(told.ref, told)
    })
    const refs: string[] = []
    for (const end of ['0', '3', '4']) {
      const sent = await provider.send({ ...MESSAGE, to: `+1415555010${end}` }, NEVER)
      if (sent.ok) refs.push(sent.ref)
    }
    const long = await provider.send({ ...MESSAGE, body: 'Ы'.repeat(200) }, NEVER)
    await vi.waitUntil(() => heard.size === 4, { timeout: 5_000 })
    expect(refs.map((ref) => heard.get(ref))).toEqual([
      { ref: refs[0], progress: 'delivered' },
      { ref: refs[1], progress: 'undelivered', why: 'bad_number', code: 'UNDELIV:001' },
      { ref: refs[2], progress: 'delivered' },
    ])
    expect(long.ok && heard.get(long.ref)).toMatchObject({ progress: 'delivered' })
    await vi.waitUntil(
      () =>
        smsc
          .lines()
          .slice(before)
          .filter((line) => line === 'told 0').length === 4,
    )
  })

  test('how many messages a second go through one bind (printed, not asserted)', async () => {
    const figures: string[] = []
    for (const window of WINDOWS) {
      const provider = await make({ window })
      await pour(provider, 200, window)
      const startedMs = performance.now()
      const all = await pour(provider, MEASURED, window)
      const perSecond = Math.round((MEASURED * 1_000) / (performance.now() - startedMs))
      expect(all.every((sent) => sent.ok)).toBe(true)
      figures.push(`window ${window}: ${perSecond}/s`)
    }
    process.stderr.write(`SMPP through one bind to Net::SMPP: ${figures.join(', ')}\n`)
  })

  describeWith('toxiproxy', 'with a way that breaks', () => {
    test('a link cut under load heals, and every send is accepted, refused or unknown', async () => {
      const proxy = await toxiproxy(`127.0.0.1:${smsc.port}`)
      const before = smsc.lines().length
      const provider = await make({ url: `smpp://tester:secret@127.0.0.1:${proxy.port}`, window: 20 })
      let done = false
      const breaking = (async () => {
        const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
        for (const [what, ms] of [
          ['cut', 150],
          ['reset', 150],
          ['blackhole', 2_500],
        ] as const) {
          await wait(300)
          await proxy[what]()
          await wait(ms)
          await proxy.restore()
          await vi.waitUntil(async () => (await provider.probe?.(NEVER))?.ok, { timeout: 15_000 })
        }
        done = true
      })()
      const all: Sent[] = []
      while (!done) all.push(...(await pour(provider, 200, 40)))
      await breaking
      all.push(...(await pour(provider, 200, 40)))
      const counts = { accepted: 0, refused: 0, unknown: 0 }
      for (const sent of all)
        counts[sent.ok ? 'accepted' : sent.why === 'unknown' ? 'unknown' : 'refused'] += 1
      process.stderr.write(`SMPP link broken three times under load: ${JSON.stringify(counts)}\n`)
      const taken = submits(before).length
      expect(taken).toBeGreaterThanOrEqual(counts.accepted)
      expect(taken).toBeLessThanOrEqual(counts.accepted + counts.unknown)
      expect(counts.unknown).toBeGreaterThan(0)
      expect(all.slice(-200).every((sent) => sent.ok)).toBe(true)
      expect(new Set(all.flatMap((sent) => (sent.ok ? [sent.ref] : []))).size).toBe(counts.accepted)
      expect(all.every((sent) => sent.ok || ['unknown', 'unavailable', 'throttled'].includes(sent.why))).toBe(
        true,
      )
      await proxy.remove()
    }, 60_000)
  })
})
