import { createServer, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts'
import { endProcesses, ServerProcess, type Wire } from '../helpers/process.ts'
import { MoodyGateway } from './bad-vendors.ts'

/** A real server, whose first provider is the simulated carrier with its signed callbacks, and whose second a gateway. */
let carrier: Simulator
let gateway: MoodyGateway
let server: ServerProcess

beforeEach(async () => {
  carrier = await startSimulator({ settings: { delivery_ms: 100 } })
  gateway = new MoodyGateway()
  const port = await freePort()
  server = await ServerProcess.start({
    settings: {
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      SMS_PROVIDER: 'twilio,webhook',
      TWILIO_ACCOUNT_SID: carrier.account.sid,
      TWILIO_AUTH_TOKEN: carrier.account.authToken,
      TWILIO_PHONE_NUMBER: carrier.sender,
      TWILIO_BASE_URL: carrier.url,
      SEND_PATIENCE_MS: '1000',
      START_DEADLINE_MS: '3000',
      ...gateway.settings(await gateway.listen()),
    },
  })
})
afterEach(async () => {
  await server.kill()
  await carrier.close()
  gateway.close()
})
afterAll(endProcesses)

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => {
    probe.listen(0, '127.0.0.1', resolve)
  })
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => {
    probe.close(resolve)
  })
  return port
}

type Story = NonNullable<Wire['sends']>[number]

/** Starts a verification; what became of its sends, once this holds of them. */
async function follow(to: string, until: (sends: readonly Story[]) => void) {
  const { status, body } = await server.start(to)
  expect(status).toBe(201)
  await vi.waitFor(
    async () => {
      until((await server.read(body.id ?? '')).sends ?? [])
    },
    { timeout: 15_000, interval: 100 },
  )
  return { id: body.id ?? '', code: body.preview_code ?? '' }
}

/** The codes that the gateway was given for a number. */
const codesTo = (to: string) =>
  gateway.asked.filter((asked) => asked.to === to).map(({ text }) => /\d{6}/.exec(text)?.[0])

describe('by the receipts of the carrier', () => {
  test('a message that arrives is delivered, and nothing follows', async () => {
    const to = '+14155238100'
    await follow(to, (sends) => expect(sends).toMatchObject([{ provider: 'twilio', status: 'delivered' }]))
    expect(codesTo(to)).toEqual([])
  })

  test.for([
    ['30003, a phone that is off', '+14155230003'],
    ['30008, nobody knows why', '+14155230008'],
  ] as const)('undelivered with %s: the same code by the next provider', async ([, to]) => {
    const { id, code } = await follow(to, (sends) =>
      expect(sends).toMatchObject([
        { provider: 'twilio', status: 'undelivered' },
        { provider: 'webhook', status: 'accepted' },
      ]),
    )
    expect(codesTo(to)).toEqual([code])
    expect((await server.check(id, code)).body).toMatchObject({ valid: true })
  })

  test.for([
    ['fraud, 30450', '+14155230450'],
    ['what it says, 30007', '+14155230007'],
  ] as const)('R37: undelivered because of %s: told, and to nobody else', async ([, to]) => {
    await follow(to, (sends) =>
      expect(sends).toMatchObject([{ provider: 'twilio', status: 'undelivered', error: 'blocked' }]),
    )
    await new Promise((resolve) => {
      setTimeout(resolve, 3_000)
    })
    expect(codesTo(to)).toEqual([])
  })

  test('R46, F24: callbacks in reverse order and twice end where they should', async () => {
    for (const to of ['+14155202003', '+14155202002']) {
      await follow(to, (sends) => expect(sends).toMatchObject([{ status: 'delivered' }]))
      expect(codesTo(to)).toEqual([])
    }
  })

  test('R35, F12: an answer that was lost is found at the carrier: no second message', async () => {
    const to = '+14155201002'
    await follow(to, (sends) => expect(sends).toMatchObject([{ provider: 'twilio', status: 'delivered' }]))
    expect(codesTo(to)).toEqual([])
  })

  test('F13: an answer that does not come: not taken by the carrier, so by the next provider', async () => {
    const to = '+14155201005'
    const { code } = await follow(to, (sends) =>
      expect(sends).toMatchObject([
        { provider: 'twilio', status: 'unknown' },
        { provider: 'webhook', status: 'accepted' },
      ]),
    )
    expect(codesTo(to)).toEqual([code])
  })

  test.for(['00200', '00302', '00500', '01003', '20429'])(
    'R36, R40: %s at the carrier’s door: by the next provider, and hardly later',
    async (ending) => {
      const to = `+141552${ending}`
      const { code } = await follow(to, (sends) =>
        expect(sends.at(-1)).toMatchObject({ provider: 'webhook', status: 'accepted' }),
      )
      expect(codesTo(to)).toEqual([code])
    },
  )
})
