import { describe, expect, test, vi } from 'vitest'
import { FROM, makeSdk, simulate, TO } from './simulation.ts'

describe('the official SDK', () => {
  test('sends a message, and sees it go on until it is delivered', async () => {
    const { sdk, simulator } = await simulate({ settings: { delivery_ms: 150 } })
    const sent = await sdk.messages.create({ to: TO, from: FROM, body: '123456 is your Acme code.' })
    expect(sent).toMatchObject({
      status: 'queued',
      to: TO,
      from: FROM,
      body: '123456 is your Acme code.',
      direction: 'outbound-api',
      numSegments: '1',
      errorCode: null,
      price: null,
      apiVersion: '2010-04-01',
    })
    expect(sent.sid).toMatch(/^SM[0-9a-f]{32}$/)
    const seen: string[] = [sent.status]
    await vi.waitFor(async () => {
      const { status } = await sdk.messages(sent.sid).fetch()
      if (seen.at(-1) !== status) seen.push(status)
      expect(status).toBe('delivered')
    })
    const order = ['queued', 'sending', 'sent', 'delivered']
    expect(seen).toEqual(order.filter((status) => seen.includes(status)))
    expect((await sdk.messages(sent.sid).fetch()).dateSent).toBeInstanceOf(Date)
    expect(simulator.phones.code(TO)).toBe('123456')
  })

  test('sends by a Messaging Service: accepted, then queued from a number of the account', async () => {
    const { sdk } = await simulate()
    const messagingServiceSid = `MG${'1a'.repeat(16)}`
    const sent = await sdk.messages.create({ to: TO, messagingServiceSid, body: 'hello' })
    expect(sent).toMatchObject({ status: 'accepted', from: null, messagingServiceSid })
    await vi.waitFor(async () => {
      expect(await sdk.messages(sent.sid).fetch()).toMatchObject({ status: 'delivered', from: FROM })
    })
  })

  test('lists by number and day, page by page', async () => {
    const { sdk, send } = await simulate()
    for (let n = 0; n < 7; n++) await send({ Body: `message ${n}` })
    await send({ To: '+4915112345678', Body: 'to another' })
    const mine = await sdk.messages.list({ to: TO, from: FROM, pageSize: 3 })
    expect(mine.map(({ body }) => body)).toEqual([6, 5, 4, 3, 2, 1, 0].map((n) => `message ${n}`))
    expect(await sdk.messages.list({ dateSent: new Date() })).toHaveLength(8)
    expect(await sdk.messages.list({ dateSent: new Date(0) })).toEqual([])
    expect(await sdk.messages.list({ dateSentAfter: new Date(0), limit: 2 })).toHaveLength(2)
    expect(await sdk.messages.list({ dateSentBefore: new Date(0) })).toEqual([])
  })

  test('turns a page over while messages come, without seeing one twice', async () => {
    const { sdk, send } = await simulate()
    for (let n = 0; n < 4; n++) await send({ Body: `message ${n}` })
    const first = await sdk.messages.page({ pageSize: 2 })
    await send({ Body: 'meanwhile' })
    const second = await first.nextPage()
    expect(second?.instances.map(({ body }) => body)).toEqual(['message 1', 'message 0'])
    expect(await second?.nextPage()).toBeUndefined()
  })

  test('gives feedback, redacts and deletes', async () => {
    const { sdk } = await simulate()
    const { sid } = await sdk.messages.create({ to: TO, from: FROM, body: 'secret', provideFeedback: true })
    const feedback = await sdk.messages(sid).feedback.create({ outcome: 'confirmed' })
    expect(feedback).toMatchObject({ messageSid: sid, outcome: 'confirmed' })
    expect((await sdk.messages(sid).update({ body: '' })).body).toBe('')
    expect(await sdk.messages(sid).remove()).toBe(true)
    await expect(sdk.messages(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
  })

  test('is refused with a wrong token, and taken with an API key', async () => {
    const { simulator } = await simulate()
    const { account, url } = simulator
    await expect(makeSdk(simulator, 'wrong').messages.list()).rejects.toMatchObject({
      status: 401,
      code: 20003,
    })
    const authorization = `Basic ${Buffer.from(`${account.apiKeySid}:${account.apiKeySecret}`).toString('base64')}`
    const path = `${url}/2010-04-01/Accounts/${account.sid}`
    expect((await fetch(`${path}/Messages.json`, { headers: { authorization } })).status).toBe(200)
    expect((await fetch(`${path}.json`, { headers: { authorization } })).status).toBe(200)
    expect((await fetch(`${path}/Messages.json`)).status).toBe(401)
  })

  test('sends WhatsApp, by a text and by a template', async () => {
    const { sdk, simulator } = await simulate()
    const to = `whatsapp:${TO}`
    const sent = await sdk.messages.create({
      to,
      from: `whatsapp:${FROM}`,
      contentSid: `HX${'2b'.repeat(16)}`,
      contentVariables: JSON.stringify({ 1: '654321' }),
    })
    expect(sent).toMatchObject({ to, from: `whatsapp:${FROM}`, status: 'queued' })
    expect(simulator.phones.last(TO)).toMatchObject({ channel: 'whatsapp', number: TO })
    expect(simulator.phones.code(TO)).toBe('654321')
  })
})

describe('answers', () => {
  test('are as Twilio describes them', async () => {
    const { call, base, send } = await simulate()
    // `call` throws where an answer is not.
    const { body, status } = await send()
    expect(status).toBe(201)
    expect((await call('GET', `${base}/Messages/${body.sid}.json`)).status).toBe(200)
    expect((await call('GET', `${base}/Messages.json`)).body).toMatchObject({
      page: 0,
      page_size: 50,
      start: 0,
      end: 0,
      next_page_uri: null,
      previous_page_uri: null,
    })
    expect((await call('GET', `${base}.json`)).body['status']).toBe('active')
    expect((await call('POST', `${base}/Messages/${body.sid}/Feedback.json`)).status).toBe(200)
  })

  test('tell an error in Twilio’s form', async () => {
    const { send } = await simulate()
    const { status, headers, body } = await send({ To: 'abc' })
    expect(status).toBe(400)
    expect(headers.get('content-type')).toContain('application/json')
    expect(body).toEqual({
      code: 21211,
      message: "The 'To' number abc is not a valid phone number.",
      more_info: 'https://www.twilio.com/docs/errors/21211',
      status: 400,
    })
  })

  test.each([
    [21604, { To: '' }],
    [21211, { To: '+1415555' }],
    [21211, { To: '4155552671' }],
    [21603, { From: '' }],
    [21606, { From: '+14155550100' }],
    [21606, { From: 'Acme' }],
    [21212, { From: 'not a sender at all' }],
    [21602, { Body: '' }],
    [21617, { Body: 'x'.repeat(1_601) }],
    [21624, { ValidityPeriod: '0' }],
    [21624, { ValidityPeriod: '36001' }],
    [21624, { ValidityPeriod: '1.5' }],
    [21609, { StatusCallback: 'ftp://example.com' }],
    [21701, { From: '', MessagingServiceSid: 'MG1' }],
    [21910, { To: `whatsapp:${TO}` }],
    [63007, { To: `whatsapp:${TO}`, From: 'whatsapp:+14155550100' }],
    [21655, { ContentSid: 'HX1' }],
    [21656, { ContentSid: `HX${'2b'.repeat(16)}`, ContentVariables: '[' }],
  ])('refuse with %i what Twilio refuses: %j', async (code, fields) => {
    const { send, simulator } = await simulate()
    expect((await send(fields)).body).toMatchObject({ code, status: 400 })
    expect(simulator.phones.list()).toEqual([])
  })

  test('take what is at the bounds', async () => {
    const { send } = await simulate({ account: { numbers: 'any' } })
    for (const fields of [{ Body: 'x'.repeat(1_600) }, { ValidityPeriod: '36000' }, { From: 'Acme' }]) {
      expect((await send(fields)).status).toBe(201)
    }
    expect((await send({ Body: 'x'.repeat(161) })).body['num_segments']).toBe('2')
    expect((await send({ Body: 'ж'.repeat(71) })).body['num_segments']).toBe('2')
    expect(
      (await send({ Body: '', MediaUrl: ['https://a.example/1', 'https://a.example/2'] })).body,
    ).toMatchObject({ num_media: '2', sid: expect.stringMatching(/^MM/) })
  })

  test('know no other account, no other path and no other method', async () => {
    const { call, base } = await simulate()
    const other = `/2010-04-01/Accounts/AC${'9'.repeat(32)}/Messages.json`
    expect((await call('GET', other)).body).toMatchObject({ code: 20404, status: 404 })
    expect((await call('GET', `${base}/Conferences.json`)).body.code).toBe(20404)
    expect((await call('DELETE', `${base}/Messages.json`)).status).toBe(405)
  })
})

test('a text that was to be discarded is shown on the phone and by nothing else', async () => {
  const { send, call, base, simulator } = await simulate()
  const { body } = await send({ ContentRetention: 'discard' })
  expect((await call('GET', `${base}/Messages/${body.sid}.json`)).body['body']).toBe('')
  expect(simulator.phones.last(TO)?.text).toBe('123456 is your code')
})

test('the oldest of more than 10,000 is forgotten', async () => {
  const { simulator } = await simulate()
  const { phones } = simulator
  const item = (n: number) =>
    ({ sid: `SM${n}`, number: TO, text: String(n) }) as Parameters<typeof phones.add>[0]
  for (let n = 0; n < 10_050; n++) phones.add(item(n))
  expect(phones.list()).toHaveLength(10_000)
  expect(phones.list({ to: TO })).toHaveLength(10_000)
  expect(phones.get('SM49')).toBeUndefined()
  expect(phones.last(TO)?.sid).toBe('SM10049')
})
