import { describe, expect, test, vi } from 'vitest'
import { sayingsOf } from '../../src/simulator/sayings.ts'
import { FROM, simulate, startApp, TO } from './simulation.ts'

describe('calls by the official SDK', () => {
  test('ring, are answered, say their text and end', async () => {
    const { sdk, simulator } = await simulate()
    const twiml = '<Response><Say voice="alice">Your code is 1, 2, 3, 4, 5, 6</Say></Response>'
    const call = await sdk.calls.create({ to: TO, from: FROM, twiml })
    expect(call).toMatchObject({ status: 'queued', to: TO, from: FROM, direction: 'outbound-api' })
    expect(call.sid).toMatch(/^CA[0-9a-f]{32}$/)
    const over = await simulator.phones.until(({ status }) => status === 'completed')
    expect(over).toMatchObject({ channel: 'call', text: 'Your code is 1, 2, 3, 4, 5, 6' })
    expect(simulator.phones.code(TO)).toBe('123456')
    expect(await sdk.calls(call.sid).fetch()).toMatchObject({ status: 'completed', duration: '1' })
    expect(await sdk.calls.list({ to: TO })).toHaveLength(1)
    expect(await sdk.messages.list()).toEqual([])
  })

  test('ask the app what to say, signed', async () => {
    const { sdk, simulator } = await simulate()
    const body = '<?xml version="1.0"?><Response><Gather><Say>Code 4 5 6 7</Say></Gather></Response>'
    const app = await startApp(simulator.account.authToken, { status: 200, body })
    await sdk.calls.create({ to: TO, from: FROM, url: `${app.url}/voice?id=1` })
    await simulator.phones.until(({ text }) => text === 'Code 4 5 6 7')
    expect(app.received).toMatchObject([
      {
        method: 'POST',
        isValid: true,
        form: { CallStatus: 'in-progress', To: TO, Direction: 'outbound-api' },
      },
    ])
  })

  test('tell the states that were asked for, in order', async () => {
    const { sdk, simulator } = await simulate()
    const app = await startApp(simulator.account.authToken)
    const twiml = '<Response><Say>hello</Say></Response>'
    const statusCallbackEvent = ['initiated', 'ringing', 'answered', 'completed']
    await sdk.calls.create({ to: TO, from: FROM, twiml, statusCallback: app.url, statusCallbackEvent })
    await vi.waitFor(() => expect(app.received).toHaveLength(4))
    expect(app.received.map(({ form }) => [form['CallStatus'], form['SequenceNumber']])).toEqual([
      ['initiated', '0'],
      ['ringing', '1'],
      ['in-progress', '2'],
      ['completed', '3'],
    ])
    expect(app.received.every(({ isValid }) => isValid)).toBe(true)
    expect(app.received[3]?.form).toMatchObject({
      CallDuration: '1',
      Duration: '1',
      Called: TO,
      Caller: FROM,
    })
  })

  test('tell the end alone unless asked, by GET if so asked', async () => {
    const { sdk, simulator } = await simulate()
    const app = await startApp(simulator.account.authToken)
    const twiml = '<Response/>'
    const statusCallback = `${app.url}/status?a=1`
    await sdk.calls.create({ to: TO, from: FROM, twiml, statusCallback, statusCallbackMethod: 'GET' })
    await vi.waitFor(() => expect(app.received).toHaveLength(1))
    expect(app.received[0]).toMatchObject({ method: 'GET', isValid: true })
    expect(app.received[0]?.url).toMatch(/\/status\?a=1&.*CallStatus=completed/)
  })

  test('are hung up before they are answered', async () => {
    const { sdk, simulator } = await simulate({ settings: { delivery_ms: 5_000 } })
    const { sid } = await sdk.calls.create({ to: TO, from: FROM, twiml: '<Response/>' })
    expect((await sdk.calls(sid).update({ status: 'canceled' })).status).toBe('canceled')
    await expect(sdk.calls(sid).update({ status: 'completed' })).rejects.toMatchObject({ code: 21220 })
    expect(simulator.phones.last(TO)?.endedAt).not.toBeNull()
  })
})

test('answers about calls are as Twilio describes them', async () => {
  const { ring, call, base } = await simulate()
  const { body, status } = await ring()
  expect(status).toBe(201)
  expect((await call('GET', `${base}/Calls/${body.sid}.json`)).status).toBe(200)
  expect((await call('GET', `${base}/Calls.json`)).status).toBe(200)
})

test.each([
  [21201, { To: '' }],
  [21217, { To: '123' }],
  [21213, { From: '' }],
  [21210, { From: '+14155550100' }],
  [21205, { Twiml: '' }],
  [21205, { Twiml: '', Url: 'nowhere' }],
])('a call is refused with %i for %j', async (code, fields) => {
  const { ring } = await simulate()
  expect((await ring(fields)).body).toMatchObject({ code, status: 400 })
})

test.each([
  ['<Response><Say>Hi &amp; bye &#33; &#x21;</Say></Response>', 'Hi & bye ! !'],
  ['<Response><Say>one <break time="1s"/> two</Say><Pause/><Say>three</Say></Response>', 'one two\nthree'],
  ['<Response><Play>https://a.example/x.mp3</Play></Response>', '[plays https://a.example/x.mp3]'],
  ['<Response><Say>before</Say><Hangup/><Say>after</Say></Response>', 'before'],
  ['<Response><!-- <Say>no</Say> --><Say/></Response>', ''],
])('what is heard of %s', (twiml, text) => {
  expect(sayingsOf(twiml)).toBe(text)
})
