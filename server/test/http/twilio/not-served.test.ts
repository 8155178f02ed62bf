import { beforeEach, expect, test } from 'vitest'
import { phoneOf } from '../../helpers/server.ts'
import {
  makeTwilioSdk,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  startTwilio,
  type TwilioServer,
} from '../../helpers/twilio-sdk.ts'

const IDENTITY = 'ff483d1ff591898a9942916050d2ca3f'
const NO_FEATURE = { status: 403, code: 60204 }
const NOT_FOUND = { status: 404, code: 20404 }
let twilio: TwilioServer
let service: string

beforeEach(async () => {
  twilio = await startTwilio()
  service = (await twilio.sdk.verify.v2.services.create({ friendlyName: 'Acme' })).sid
})

/** Everything that Twilio’s API knows of push and passkeys, asked of a service. */
function asksForFeatures({ verify }: TwilioServer['sdk'], sid: string) {
  const of = verify.v2.services(sid)
  const challenge = of.entities(IDENTITY).challenges(`YC${'0'.repeat(32)}`)
  return {
    accessTokens: () => of.accessTokens.create({ identity: IDENTITY, factorType: 'push' }),
    factors: () => of.newFactors.create({ friendly_name: 'Key', identity: IDENTITY, config: {} } as never),
    verifyFactor: () => of.newVerifyFactors.update({ id: 'x' } as never),
    challenges: () => of.newChallenge().create({ identity: IDENTITY, factor_sid: 'YF' } as never),
    approveChallenge: () => of.approveChallenge.update({ id: 'x' } as never),
    notifications: () => challenge.notifications.create({ ttl: 60 }),
  }
}

test('push and passkeys are what no service has', async () => {
  for (const [name, ask] of Object.entries(asksForFeatures(twilio.sdk, service)))
    await expect(ask(), name).rejects.toMatchObject(NO_FEATURE)
})

test('a service of another account is not found', async () => {
  const other = makeTwilioSdk(twilio.url, OTHER_ACCOUNT, OTHER_TOKEN)
  for (const [name, ask] of Object.entries(asksForFeatures(other, service)))
    await expect(ask(), name).rejects.toMatchObject(NOT_FOUND)
})

test('what was never made is not found', async () => {
  const { v2 } = twilio.sdk.verify
  await expect(
    v2
      .services(service)
      .accessTokens(`YK${'0'.repeat(32)}`)
      .fetch(),
  ).rejects.toMatchObject(NOT_FOUND)
  await expect(v2.forms('form-push').fetch()).rejects.toMatchObject(NOT_FOUND)
})

test('channels that reach no phone are disabled', async () => {
  const { verifications } = twilio.sdk.verify.v2.services(service)
  for (const channel of ['email', 'sna', 'rbm']) {
    const refusal = { status: 400, code: 60223, message: `Delivery channel disabled: ${channel}` }
    await expect(verifications.create({ to: phoneOf(1), channel })).rejects.toMatchObject(refusal)
  }
  await expect(verifications.create({ to: phoneOf(1), channel: 'fax' })).rejects.toMatchObject({
    code: 60200,
  })
  expect(twilio.server.inbox.list()).toEqual([])
})
