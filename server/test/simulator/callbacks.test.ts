import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Sdk from 'twilio'
import { describe, expect, test, vi } from 'vitest'
import { makeTwilioReceipts } from '../../src/providers/twilio-receipts.ts'
import { signatureOf } from '../../src/primitives/twilio-signature.ts'
import type { SettingsChange } from '../../src/simulator/settings.ts'
import { FROM, simulate, startApp, TO, type Fields } from './simulation.ts'

describe('the signature', () => {
  // Published with Twilio's own libraries.
  const url = 'https://mycompany.com/myapp.php?foo=1&bar=2'
  const form = {
    CallSid: 'CA1234567890ABCDE',
    From: '+12349013030',
    To: '+18005551212',
    Caller: '+12349013030',
    Digits: '1234',
  }

  test('is that of both published vectors', () => {
    expect(signatureOf('12345', url, form)).toBe('0/KCTR6DLpKmkAf8muzZqo1nDgQ=')
    const other = { ...form, Caller: '+14158675309', From: '+14158675309' }
    expect(signatureOf('12345', url, other)).toBe('RSOYDt4T1cUTdK1PDd93/VVr8B8=')
  })

  test('is that of the SDK for lists, odd names and fragments', () => {
    const odd = { b: ['2', '1', '2'], B: 'é ✓ + %', a: '', Z9: 'x' }
    expect(signatureOf('t', url, odd)).toBe(Sdk.getExpectedTwilioSignature('t', url, odd))
    expect(signatureOf('t', `${url}#rc=2`, form)).toBe(signatureOf('t', url, form))
  })
})

/** Sends one message and waits until the app has heard so many callbacks. */
async function heard(count: number, settings: SettingsChange = {}, fields: Fields = {}) {
  const made = await simulate({ settings })
  const app = await startApp(made.simulator.account.authToken)
  const sent = await made.send({ StatusCallback: `${app.url}/twilio?tenant=7&x=a%20b`, ...fields })
  await vi.waitFor(() => expect(app.received.length).toBeGreaterThanOrEqual(count), { timeout: 5_000 })
  // One more than expected would come now.
  await new Promise((resolve) => {
    setTimeout(resolve, 150)
  })
  return { ...made, app, sid: sent.body.sid, statuses: app.received.map(({ form }) => form['MessageStatus']) }
}

describe('status callbacks', () => {
  test('tell every status but the first, signed as the SDK expects', async () => {
    const { app, statuses, sid, simulator } = await heard(3)
    expect(statuses).toEqual(['sending', 'sent', 'delivered'])
    expect(app.received.map(({ isValid }) => isValid)).toEqual([true, true, true])
    const [first, , last] = app.received
    expect(first?.form).toEqual({
      AccountSid: simulator.account.sid,
      ApiVersion: '2010-04-01',
      From: FROM,
      To: TO,
      MessageSid: sid,
      MessageStatus: 'sending',
      SmsSid: sid,
      SmsStatus: 'sending',
    })
    expect(last?.form['RawDlrDoneDate']).toMatch(/^\d{10}$/)
    expect(first?.url).toContain('/twilio?tenant=7&x=a%20b')
    expect(first?.headers['content-type']).toContain('application/x-www-form-urlencoded')
    expect(first?.headers['i-twilio-idempotency-token']).toMatch(/^[\w-]{36}$/)
    await vi.waitFor(() =>
      expect(simulator.phones.last(TO)?.told).toEqual(statuses.map((status) => ({ status, answer: '204' }))),
    )
  })

  test('are receipts that our own reader takes', async () => {
    const { app, simulator, sid } = await heard(3)
    const read = makeTwilioReceipts(simulator.account.authToken)
    const told = app.received.map(({ url, headers, form }) =>
      read({
        method: 'POST',
        url,
        headers: { 'x-twilio-signature': String(headers['x-twilio-signature']) },
        body: Buffer.from(new URLSearchParams(form).toString()),
        at: Date.now(),
      }),
    )
    expect(told.flat()).toMatchObject([
      { ref: sid, progress: 'queued' },
      { ref: sid, progress: 'sent' },
      { ref: sid, progress: 'delivered' },
    ])
  })

  test('of a Messaging Service name it, and begin with queued', async () => {
    const MessagingServiceSid = `MG${'1a'.repeat(16)}`
    const { app, statuses } = await heard(4, {}, { From: '', MessagingServiceSid })
    expect(statuses).toEqual(['queued', 'sending', 'sent', 'delivered'])
    for (const { form } of app.received) expect(form).toMatchObject({ MessagingServiceSid, From: FROM })
  })

  test('come twice, with one token for one status', async () => {
    const { app, statuses } = await heard(6, { receipts: 'duplicate' })
    expect(statuses.toSorted()).toEqual(['delivered', 'delivered', 'sending', 'sending', 'sent', 'sent'])
    expect(new Set(app.received.map(({ headers }) => headers['i-twilio-idempotency-token'])).size).toBe(3)
  })

  test('come in reverse', async () => {
    expect((await heard(3, { receipts: 'out_of_order' })).statuses).toEqual(['delivered', 'sent', 'sending'])
  })

  test('come late', async () => {
    const { simulator, app, send } = await heard(2, { receipts: 'late', late_ms: 60_000 })
    expect(app.received.map(({ form }) => form['MessageStatus'])).toEqual(['sending', 'sent'])
    simulator.settings.set({ late_ms: 60 })
    await send({ StatusCallback: app.url })
    await vi.waitFor(() => expect(app.received.at(-1)?.form['MessageStatus']).toBe('delivered'))
  })

  test('never come, though the message arrives', async () => {
    const { simulator, statuses } = await heard(0, { receipts: 'none' })
    expect(statuses).toEqual([])
    expect(simulator.phones.last(TO)?.status).toBe('delivered')
  })

  test('are put once more when nobody listened', async () => {
    const { simulator, send } = await simulate()
    const late = createServer((_, response) => response.writeHead(200).end())
    const port = await listen(late)
    await new Promise((resolve) => {
      late.close(resolve)
    })
    await send({ StatusCallback: `http://127.0.0.1:${port}/late` })
    await new Promise((resolve) => {
      setTimeout(resolve, 60)
    })
    expect(simulator.phones.last(TO)?.told).toEqual([])
    await listen(late, port)
    const answers = () => simulator.phones.last(TO)?.told.map(({ answer }) => answer)
    await vi.waitFor(() => expect(answers()).toEqual(['200', '200', '200']), { timeout: 5_000 })
    late.closeAllConnections()
    late.close()
  })

  test('are given up when nobody ever listens', async () => {
    const { simulator, send } = await simulate()
    const gone = createServer()
    const port = await listen(gone)
    gone.close()
    await send({ StatusCallback: `http://127.0.0.1:${port}/gone` })
    const answers = () => simulator.phones.last(TO)?.told.map(({ answer }) => answer)
    await vi.waitFor(() => expect(answers()).toEqual(Array(3).fill('ECONNREFUSED')), { timeout: 9_000 })
  })

  test('wait for an app that is slow to answer, so that none overtakes another', async () => {
    const { simulator, send } = await simulate()
    const app = await startApp(simulator.account.authToken, { firstMs: 300 })
    await send({ StatusCallback: app.url })
    await simulator.phones.until(({ status }) => status === 'delivered')
    expect(app.received.length).toBeLessThanOrEqual(1)
    await vi.waitFor(() => expect(app.received).toHaveLength(3))
    expect(app.received.map(({ form }) => form['MessageStatus'])).toEqual(['sending', 'sent', 'delivered'])
  })

  test('that an app refuses are told on the page, and not put again', async () => {
    const { simulator, send } = await simulate()
    const app = await startApp(simulator.account.authToken, { status: 500 })
    await send({ StatusCallback: app.url })
    await vi.waitFor(() => expect(simulator.phones.last(TO)?.told).toHaveLength(3))
    expect(simulator.phones.last(TO)?.told.map(({ answer }) => answer)).toEqual(['500', '500', '500'])
    expect(app.received).toHaveLength(3)
  })
})

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}
