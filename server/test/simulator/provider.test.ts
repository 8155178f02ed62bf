import { expect, onTestFinished, test } from 'vitest'
import { makeTwilioProvider } from '../../src/providers/twilio.ts'
import type { Message } from '../../src/messaging/provider.ts'
import { FROM, simulate, startApp } from './simulation.ts'

const message = (to: string): Message => ({
  id: 'snd_1',
  to,
  channel: 'sms',
  country: 'US',
  body: '123456 is your Acme code.',
  validitySeconds: 600,
})

async function start() {
  const made = await simulate()
  const { account, url, phones } = made.simulator
  const app = await startApp(account.authToken)
  const provider = await makeTwilioProvider({
    accountSid: account.sid,
    authToken: account.authToken,
    from: FROM,
    maxRetries: 3,
    retryDelayMs: 1,
    requestTimeoutSeconds: 1,
    baseUrl: url,
    statusCallback: `${app.url}/v1/callbacks/twilio`,
  })
  onTestFinished(() => provider.close?.())
  const send = (to: string) => provider.send(message(to), new AbortController().signal)
  return { ...made, app, provider, send, phones }
}

test('our own provider sends through it, and is told of the delivery', async () => {
  const { send, phones, app, provider } = await start()
  const sent = await send('+14155552671')
  const item = await phones.until(({ status }) => status === 'delivered')
  expect(sent).toEqual({ ok: true, ref: item.sid })
  expect(item).toMatchObject({ text: '123456 is your Acme code.', body: '' })
  await expect.poll(() => app.received.length).toBe(3)
  // Behind the address stands what Twilio is to do; it is neither signed nor asked for.
  const { receipts } = provider
  for (const { url, isValid, headers, form } of app.received) {
    expect({ url, isValid }).toEqual({ url: `${app.url}/v1/callbacks/twilio?send=snd_1`, isValid: true })
    const signature = String(headers['x-twilio-signature'])
    const body = Buffer.from(new URLSearchParams(form).toString())
    const request = { method: 'POST', url, headers: { 'x-twilio-signature': signature }, body, at: 0 }
    expect(receipts?.(request)).toMatchObject([{ ref: item.sid }])
  }
})

test('our own provider finds the account to be in order', async () => {
  const { provider } = await start()
  expect(await provider.probe?.(new AbortController().signal)).toMatchObject({ ok: true })
})

test.each([
  ['+15005550001', 'bad_number', '21211'],
  ['+14155521614', 'wrong_channel', '21614'],
  ['+14155521610', 'opted_out', '21610'],
  ['+14155521408', 'blocked', '21408'],
  ['+14155500500', 'unavailable', '20500'],
  ['+14155500302', 'misconfigured', 'http_302'],
  ['+14155500200', 'unknown', 'garbled'],
  ['+14155501001', 'unknown', 'timeout'],
  ['+14155501004', 'unknown', 'garbled'],
])('a number of ours is what our provider takes it for: %s is %s (%s)', async (to, why, code) => {
  const { send } = await start()
  expect(await send(to)).toMatchObject({ ok: false, why, code })
})

test('our own provider comes again after a 503', async () => {
  const { send, phones } = await start()
  expect((await send('+14155505032')).ok).toBe(true)
  expect(phones.list()).toHaveLength(1)
})
