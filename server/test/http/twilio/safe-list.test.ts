import { beforeEach, expect, test } from 'vitest'
import { phoneOf } from '../../helpers/server.ts'
import {
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

let twilio: TwilioServer
const list = () => twilio.sdk.verify.v2.safelist

beforeEach(async () => {
  twilio = await startTwilio()
})

test('a number is put on the list, looked up and taken off', async () => {
  const made = await list().create({ phoneNumber: phoneOf(1) })
  expect(made.toJSON()).toEqual({
    sid: expect.stringMatching(/^GN[0-9a-f]{32}$/) as string,
    phoneNumber: phoneOf(1),
    url: `${twilio.url}/v2/SafeList/Numbers/${phoneOf(1)}`,
  })
  expect((await list()(phoneOf(1)).fetch()).toJSON()).toEqual(made.toJSON())
  expect(await list()(phoneOf(1)).remove()).toBe(true)
  await expect(list()(phoneOf(1)).fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
  await expect(list()(phoneOf(1)).remove()).rejects.toMatchObject({ status: 404, code: 20404 })
})

test('a number stands there once, however it is written', async () => {
  await list().create({ phoneNumber: phoneOf(1) })
  const written = phoneOf(1).replace('+1415', '+1 (415) ')
  await expect(list().create({ phoneNumber: written })).rejects.toMatchObject({ status: 409, code: 60411 })
  expect((await list()(written).fetch()).phoneNumber).toBe(phoneOf(1))
})

test('what is no number is refused, or not found', async () => {
  for (const phoneNumber of ['4155552671', '+1415', 'x', ''])
    await expect(list().create({ phoneNumber })).rejects.toMatchObject({ status: 400, code: 60200 })
  await expect(list()('x').fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
})

test('each account has a list of its own', async () => {
  await list().create({ phoneNumber: phoneOf(1) })
  const other = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN).verify.v2.safelist
  await expect(other(phoneOf(1)).remove()).rejects.toMatchObject({ status: 404, code: 20404 })
  expect((await other.create({ phoneNumber: phoneOf(1) })).phoneNumber).toBe(phoneOf(1))
})
