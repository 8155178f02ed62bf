import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import type { Refusal } from '../../src/messaging/provider.ts'
import { makeScriptedProvider, type ScriptedProvider, type Script } from '../helpers/scripted-provider.ts'
import { phoneOf, startServer, type TestServer } from '../helpers/server.ts'
import { check, outcomeOf, read, start, type WireProblem, type WireVerification } from '../helpers/wire.ts'

const TO = phoneOf(0)

/** A server with two providers, and what they were asked to carry. */
async function startPair(
  first: Script = {},
  second: Script = {},
  settings: Record<string, string> = {},
): Promise<{ server: TestServer; a: ScriptedProvider; b: ScriptedProvider }> {
  const [a, b] = [makeScriptedProvider('a', first), makeScriptedProvider('b', second)]
  const server = await startServer({ settings, overrides: { providers: [a, b] } })
  return { server, a, b }
}

/** Does what is due until this holds. */
async function eventually(server: TestServer, assertion: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(async () => {
    await server.countersign.verify.retake(50)
    await assertion()
  })
}

/** Does what is due, a few times over. */
async function settle(server: TestServer): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await server.countersign.verify.retake(50)
    await sleep(20)
  }
}

const codeIn = (provider: ScriptedProvider, n = 0) => /\d{6}/.exec(provider.messages[n]?.body ?? '')?.[0]

describe('R35, A38, F12: a provider that may have taken the message', () => {
  test('is asked, and where it has the message nothing else is sent', async () => {
    const { server, a, b } = await startPair({ looksUp: true })
    a.answer('unknown')
    a.find({ found: true, ref: 'known', price: { amount: '0.01', currency: 'USD' } })
    const { id, sends } = await start(server, TO)
    expect(sends).toMatchObject([{ provider: 'a', status: 'unknown' }])
    await eventually(server, async () => {
      expect((await read(server, id)).sends).toMatchObject([
        { provider: 'a', status: 'accepted', price: '0.01' },
      ])
    })
    await settle(server)
    expect([a.messages.length, b.messages.length]).toEqual([1, 0])
  })

  test('is asked, and where it has not, one more message goes out by the next one, with the same code', async () => {
    const { server, a, b } = await startPair({ looksUp: true })
    a.answer('unknown')
    const { id, code } = await start(server, TO)
    await eventually(server, () => expect(b.messages).toHaveLength(1))
    expect(a.lookups).toHaveLength(1)
    expect([codeIn(a), codeIn(b)]).toEqual([code, code])
    await settle(server)
    expect((await read(server, id)).sends).toMatchObject([
      { provider: 'a', status: 'unknown' },
      { provider: 'b', status: 'accepted' },
    ])
    expect([a.messages.length, b.messages.length]).toEqual([1, 1])
    expect(await outcomeOf(server, id, code)).toBe('approved')
  })

  test('is told which of its messages are others of ours: none of them is taken for the lost one', async () => {
    const { server, a, b } = await startPair({ looksUp: true })
    await start(server, TO)
    server.clock.advance(31)
    a.answer('unknown')
    a.find({ found: true, ref: 'a-1' })
    const { body } = await server.api<WireVerification>('POST', '/v1/verifications', {
      body: { to: TO, purpose: 'login' },
    })
    await eventually(server, () => expect(b.messages).toHaveLength(1))
    expect((await read(server, body.id)).sends).toMatchObject([
      { provider: 'a', status: 'unknown' },
      { provider: 'b', status: 'accepted' },
    ])
  })

  test.for([
    ['where its vendor then shows that very message', { found: true, ref: 'a-1' }],
    ['where its vendor cannot tell', { found: 'unknown' }],
  ] as const)('whose receipt comes while it is asked has taken it, also %s', async ([, answer]) => {
    const { server, a, b } = await startPair({ looksUp: true, tells: true })
    a.answer('unknown')
    const { id, sends } = await start(server, TO)
    a.find(async () => {
      await a.tell({ send: sends?.[0]?.id ?? '', progress: 'sent' })
      return answer
    })
    await eventually(server, () => expect(a.lookups).toHaveLength(1))
    await settle(server)
    server.clock.advance(6)
    await settle(server)
    expect((await read(server, id)).sends).toMatchObject([{ provider: 'a', status: 'sent' }])
    expect([a.messages.length, b.messages.length]).toEqual([1, 0])
  })

  test('where the second may have taken it too there is no third', async () => {
    const c = makeScriptedProvider('c')
    const [a, b] = [makeScriptedProvider('a'), makeScriptedProvider('b')]
    const server = await startServer({ overrides: { providers: [a, b, c] } })
    for (const provider of [a, b]) provider.answer('unknown')
    await start(server, TO)
    await eventually(server, () => expect(b.messages).toHaveLength(1))
    await settle(server)
    server.clock.advance(60)
    await settle(server)
    expect([a.messages.length, b.messages.length, c.messages.length]).toEqual([1, 1, 0])
  })

  test('that tells but cannot be asked is waited for: its receipt ends the matter', async () => {
    const { server, a, b } = await startPair({ tells: true })
    a.answer('unknown')
    const { id, sends } = await start(server, TO)
    await settle(server)
    await a.tell({ send: sends?.[0]?.id ?? '', progress: 'delivered' })
    server.clock.advance(10)
    await settle(server)
    expect(b.messages).toHaveLength(0)
    expect((await read(server, id)).sends).toMatchObject([{ provider: 'a', status: 'delivered' }])
  })

  test('that tells nothing in that time is followed by one more message', async () => {
    const { server, a, b } = await startPair({ tells: true })
    a.answer('unknown')
    await start(server, TO)
    await settle(server)
    expect(b.messages).toHaveLength(0)
    server.clock.advance(6)
    await eventually(server, () => expect(b.messages).toHaveLength(1))
    expect(a.messages).toHaveLength(1)
  })

  test('and is the only one there is: nobody sends again on a guess', async () => {
    const only = makeScriptedProvider('only')
    const server = await startServer({ overrides: { providers: [only] } })
    only.answer('unknown')
    await start(server, TO)
    await settle(server)
    expect(only.messages).toHaveLength(1)
  })
})

describe('R36, F9–F11: a provider that refuses for a reason of its own', () => {
  test.for(['unavailable', 'throttled', 'misconfigured'] satisfies Refusal[])(
    '%s: the next one has it within a second, in the same answer',
    async (why) => {
      const { server, a, b } = await startPair()
      a.answer(why)
      const before = performance.now()
      const { sends } = await start(server, TO)
      expect(performance.now() - before).toBeLessThan(1_000)
      expect(sends).toMatchObject([
        { provider: 'a', status: 'refused', error: why },
        { provider: 'b', status: 'accepted' },
      ])
      expect([a.messages.length, b.messages.length]).toEqual([1, 1])
      // Who is refused with another waiting tries nothing again of its own accord.
      expect(a.messages[0]?.hurried).toBe(true)
      expect(b.messages[0]?.hurried).toBe(false)
    },
  )
})

describe('R37, F15: what says something about the number, and fraud', () => {
  test.for(['blocked', 'opted_out', 'bad_number'] satisfies Refusal[])(
    '%s goes to nobody else',
    async (why) => {
      const { server, a, b } = await startPair()
      a.answer(why)
      const { id } = await start(server, TO)
      await settle(server)
      expect(b.messages).toHaveLength(0)
      expect((await read(server, id)).status).toBe('failed')
    },
  )

  test('a resend asks only who has said so: nobody else overrules it', async () => {
    const { server, a, b } = await startPair({ tells: true }, { tells: true })
    const { id } = await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'blocked', code: '30007' })
    await settle(server)
    server.clock.advance(31)
    a.answer('unavailable')
    const again = await server.api<WireProblem>('POST', `/v1/verifications/${id}/resend`, { body: {} })
    expect(again).toMatchObject({ status: 503, body: { code: 'delivery_unavailable' } })
    expect([a.messages.length, b.messages.length]).toEqual([2, 0])
  })
})

describe('F15: a provider that finds numbers to be used for fraud', () => {
  const fraudCodes = new Set(['60410'])
  const startFraud = () => startPair({ fraudCodes, tells: true }, { tells: true })
  const fraud = { ok: false, why: 'blocked', code: '60410' } as const
  const [number, neighbour, other] = ['+14155552001', '+14155552999', '+14155553001']
  const tryTo = (server: TestServer, to: string) => server.api('POST', '/v1/verifications', { body: { to } })

  test.for(['answer', 'receipt'])(
    'by an %s: for half a day nobody else carries messages to it',
    async (way) => {
      const { server, a, b } = await startFraud()
      if (way === 'answer') a.answer(fraud)
      await start(server, number)
      if (way === 'receipt') await a.tell({ progress: 'undelivered', why: 'blocked', code: '60410' })
      await settle(server)

      a.answer('unavailable')
      server.clock.advance(3_600)
      expect(await tryTo(server, number)).toMatchObject({ status: 503 })
      expect(b.messages).toHaveLength(0)
      // Its neighbours have done nothing.
      await start(server, neighbour)
      expect(b.messages).toHaveLength(1)
      // The vendor lets it through again: that is for the vendor to say.
      a.answer('ok')
      server.clock.advance(3_600)
      await start(server, number)
      expect([a.messages.at(-1)?.to, b.messages.length]).toEqual([number, 1])

      server.clock.advance(10 * 3_600)
      a.answer('unavailable')
      await start(server, number)
      expect(b.messages).toHaveLength(2)
    },
  )

  test('three of a block of a thousand: the same for the block, and for no other', async () => {
    const { server, a, b } = await startFraud()
    a.answer(fraud)
    await start(server, number)
    await start(server, '+14155552002')
    a.answer('unavailable')
    await start(server, '+14155552500')
    expect(b.messages).toHaveLength(1)
    a.answer(fraud)
    await start(server, '+14155552003')
    a.answer('unavailable')
    expect(await tryTo(server, neighbour)).toMatchObject({ status: 503 })
    await start(server, other)
    expect(b.messages.map(({ to }) => to)).toEqual(['+14155552500', other])
  })
})

describe('R38: a number that takes no text', () => {
  test('keeps its verification where another channel may do; the channel is not tried again', async () => {
    const { server, a, b } = await startPair({}, { channels: ['call'] })
    a.answer('wrong_channel')
    const { id, code, status, sends } = await start(server, TO)
    expect(status).toBe('pending')
    expect(sends).toMatchObject([{ provider: 'a', status: 'refused', error: 'wrong_channel' }])
    const again = await server.api<WireProblem>('POST', `/v1/verifications/${id}/resend`, {
      body: { channel: 'sms' },
    })
    expect(again).toMatchObject({ status: 400, body: { code: 'invalid_request', field: 'channel' } })
    expect(a.messages).toHaveLength(1)
    const called = await server.api<WireVerification>('POST', `/v1/verifications/${id}/resend`, {
      body: { channel: 'call' },
    })
    expect(called).toMatchObject({ status: 200, body: { channel: 'call' } })
    expect(b.messages).toHaveLength(1)
    expect(await outcomeOf(server, id, code)).toBe('approved')
  })

  test('is called in the same start where the operator wants that', async () => {
    const { server, a, b } = await startPair({}, { channels: ['call'] }, { FAILOVER_CHANNELS: 'call' })
    a.answer('wrong_channel')
    const { id, code, status } = await start(server, TO)
    expect(status).toBe('pending')
    expect(b.messages).toMatchObject([{ channel: 'call', code: { digits: code } }])
    expect(await outcomeOf(server, id, code)).toBe('approved')
  })

  test('ends it where there is no other channel', async () => {
    const { server, a, b } = await startPair()
    a.answer('wrong_channel')
    expect(await start(server, TO)).toMatchObject({ status: 'failed' })
    expect(b.messages).toHaveLength(0)
  })
})

describe('R39: a circuit', () => {
  test('opens on refusals and adds no wait while open; one probe finds the provider again', async () => {
    const { server, a, b } = await startPair()
    a.answer('unavailable')
    for (let n = 0; n < 20; n += 1) await start(server, phoneOf(n))
    const calls = a.messages.length
    expect(calls).toBeLessThanOrEqual(10)
    expect(b.messages).toHaveLength(20)
    a.answer('ok')
    server.clock.advance(61)
    await start(server, phoneOf(20))
    await start(server, phoneOf(21))
    expect(a.messages.length).toBe(calls + 2)
  })

  test('of a wrong setting opens at once', async () => {
    const { server, a, b } = await startPair()
    a.answer('misconfigured')
    await start(server, phoneOf(0))
    await start(server, phoneOf(1))
    expect([a.messages.length, b.messages.length]).toEqual([1, 2])
  })

  test('does not open because numbers are bad', async () => {
    const { server, a, b } = await startPair()
    a.answer('bad_number')
    for (let n = 0; n < 20; n += 1) await start(server, phoneOf(n))
    expect([a.messages.length, b.messages.length]).toEqual([20, 0])
  })
})

describe('F13: a provider that does not answer', () => {
  test('is given up after the patience there is, and the code goes by the next one', async () => {
    const { server, a, b } = await startPair({}, {}, { SEND_PATIENCE_MS: '500' })
    a.answer('hang')
    const before = performance.now()
    const { status, code } = await start(server, TO)
    expect(performance.now() - before).toBeLessThan(2_000)
    expect(status).toBe('pending')
    await eventually(server, () => expect(codeIn(b)).toBe(code))
    expect(a.messages).toHaveLength(1)
  })

  test('and is the only one: the start is answered by its deadline, and the send goes on', async () => {
    const only = makeScriptedProvider('only')
    const server = await startServer({
      settings: { START_DEADLINE_MS: '600', SEND_PATIENCE_MS: '500' },
      overrides: { providers: [only] },
    })
    only.answer('hang')
    const before = performance.now()
    expect(await start(server, TO)).toMatchObject({ status: 'pending', sends: [{ status: 'sending' }] })
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})

describe('F16: all providers down', () => {
  test('503 after one round; nothing is charged and the verification is there for a resend', async () => {
    const { server, a, b } = await startPair()
    for (const provider of [a, b]) provider.answer('unavailable')
    const refused = await server.api<WireProblem>('POST', '/v1/verifications', { body: { to: TO } })
    expect(refused).toMatchObject({ status: 503, body: { code: 'delivery_unavailable' } })
    expect([a.messages.length, b.messages.length]).toEqual([1, 1])
    for (const provider of [a, b]) provider.answer('ok')
    const id = refused.body.verification_id ?? ''
    expect(await read(server, id)).toMatchObject({ status: 'pending', sends_left: 5 })
    const again = await server.api<WireVerification>('POST', `/v1/verifications/${id}/resend`, { body: {} })
    expect(again.status).toBe(200)
    const limits = await server.api<{ limits: { name: string; remaining: number }[] }>(
      'GET',
      `/v1/phones/${encodeURIComponent(TO)}/limits`,
    )
    expect(limits.body.limits.find(({ name }) => name === 'sends_per_phone')?.remaining).toBe(4)
  })
})

describe('a message that a provider took and did not get through', () => {
  const tells: Script = { tells: true }

  test('told so by a receipt, goes out once more by the next one, with the same code', async () => {
    const { server, a, b } = await startPair(tells, tells)
    const { id, code } = await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'unavailable', code: '30003' })
    await eventually(server, () => expect(b.messages).toHaveLength(1))
    expect(codeIn(b)).toBe(code)
    expect(await read(server, id)).toMatchObject({
      status: 'pending',
      sends_left: 3,
      sends: [
        { provider: 'a', status: 'undelivered', error: 'unavailable' },
        { provider: 'b', status: 'accepted' },
      ],
    })
    await b.tell({ progress: 'undelivered', why: 'unavailable' })
    await settle(server)
    expect([a.messages.length, b.messages.length]).toEqual([1, 1])
    expect(await outcomeOf(server, id, code)).toBe('approved')
  })

  test('goes by another channel where nobody else carries this one and the operator wants that', async () => {
    const { server, a, b } = await startPair(tells, { channels: ['call'] }, { FAILOVER_CHANNELS: 'call' })
    const { code } = await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    await eventually(server, () =>
      expect(b.messages).toMatchObject([{ channel: 'call', code: { digits: code } }]),
    )
  })

  test('without a word for longer than usual, likewise', async () => {
    const { server, a, b } = await startPair(tells, tells)
    await start(server, TO)
    await a.tell({ progress: 'sent' })
    server.clock.advance(10)
    await settle(server)
    expect(b.messages).toHaveLength(0)
    server.clock.advance(115)
    await eventually(server, () => expect(b.messages).toHaveLength(1))
  })

  test.for(['bad_number', 'opted_out', 'blocked'] satisfies Refusal[])(
    'R37: because of %s, goes to nobody else',
    async (why) => {
      const { server, a, b } = await startPair(tells, tells)
      await start(server, TO)
      await a.tell({ progress: 'undelivered', why })
      await settle(server)
      server.clock.advance(300)
      await settle(server)
      expect(b.messages).toHaveLength(0)
    },
  )

  test('was delivered: nothing follows, however long', async () => {
    const { server, a, b } = await startPair(tells, tells)
    const { id } = await start(server, TO)
    await a.tell({ progress: 'delivered' })
    server.clock.advance(300)
    await settle(server)
    expect(b.messages).toHaveLength(0)
    expect((await read(server, id)).sends?.[0]).toMatchObject({
      status: 'delivered',
      delivered_at: expect.stringMatching(/Z$/),
    })
  })

  test('but its code was entered: nothing follows', async () => {
    const { server, a, b } = await startPair(tells, tells)
    const { id, code } = await start(server, TO)
    await check(server, id, code)
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    await settle(server)
    expect(b.messages).toHaveLength(0)
  })

  test('but somebody has asked for it again: nothing more follows', async () => {
    const { server, a, b } = await startPair(tells, tells)
    const { id } = await start(server, TO)
    server.clock.advance(31)
    await server.api('POST', `/v1/verifications/${id}/resend`, { body: {} })
    // The resend avoids who did not get it through.
    expect([a.messages.length, b.messages.length]).toEqual([1, 1])
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    await settle(server)
    expect([a.messages.length, b.messages.length]).toEqual([1, 1])
  })

  test('at the verification’s last send: nothing follows', async () => {
    const { server, a, b } = await startPair(tells, tells, { SENDS_PER_VERIFICATION: '1' })
    await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    await settle(server)
    expect(b.messages).toHaveLength(0)
  })

  test('R19: at the number’s last message of the hour: nothing follows', async () => {
    const { server, a, b } = await startPair(tells, tells, { SMS_RATE_LIMIT_PER_PHONE: '1' })
    await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    await settle(server)
    expect(b.messages).toHaveLength(0)
  })

  test.for([{ CONFIRMED_FAILOVER: 'false' }, { CONFIRMED_FAILOVER_EXCEPT: 'other,default' }] as Record<
    string,
    string
  >[])('of a service that does not want it (%o): nothing follows', async (settings) => {
    const { server, a, b } = await startPair(tells, tells, settings)
    await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    server.clock.advance(300)
    await settle(server)
    expect(b.messages).toHaveLength(0)
  })

  test('F18: whose follower was recorded by a process that died: there is no second one', async () => {
    const { server, a, b } = await startPair(tells, tells)
    const { id } = await start(server, TO)
    await a.tell({ progress: 'undelivered', why: 'unavailable' })
    await eventually(server, () => expect(b.messages).toHaveLength(1))
    // As if the process had died before it could say that it was done with the first one.
    server.clock.advance(20)
    await settle(server)
    expect((await read(server, id)).sends).toHaveLength(2)
  })

  test('of a backend’s own: its text is not kept, so it is told and not sent again', async () => {
    const { server, a, b } = await startPair(tells, tells)
    const sent = await server.api<{ id: string }>('POST', '/v1/messages', { body: { to: TO, body: 'Hello' } })
    await a.tell({ progress: 'undelivered', why: 'unavailable', code: '30003' })
    await settle(server)
    expect(b.messages).toHaveLength(0)
    const story = await server.api('GET', `/v1/messages/${sent.body.id}`)
    expect(story.body).toMatchObject({
      status: 'undelivered',
      sends: [
        {
          cause: 'start',
          status: 'undelivered',
          error: 'unavailable',
          vendor_code: '30003',
          history: [{ status: 'undelivered' }],
        },
      ],
    })
  })
})
