/**
 * One process of the benchmark of sends: the simulator, or a client that sends through it with so many messages in
 * flight. See README.md.
 */
import { createRequire } from 'node:module'
import type Twilio from 'twilio'
import { makeTwilioProvider } from '../server/src/providers/twilio.ts'
import { startSimulator } from '../server/src/simulator/simulator.ts'
import { phoneAt } from './phones.ts'

/** What a client measured. */
export type Sent = {
  readonly sends: number
  readonly seconds: number
  readonly cpuMicros: number
  readonly rssMb: number
  readonly refused: number
}

type Send = (to: string, n: number) => Promise<boolean>

const BODY = '123456 is your Example verification code. Never share this code. It expires in 10 min.'
const [, , mode = '', url = '', inFlight = '2000', seconds = '5', warmup = '2'] = process.argv
const account = { sid: `AC${'0a'.repeat(16)}`, authToken: 'auth-token-of-the-benchmark' }
const from = '+15005550006'

if (mode === 'simulator') {
  const simulator = await startSimulator({
    account,
    settings: { latency_ms: Number(url), receipts: 'none' },
  })
  process.send?.({ url: simulator.url })
} else {
  const send = await clients()[mode]?.()
  if (send === undefined) throw new Error(`there is no client ${mode}`)
  await keepBusy(send, Number(warmup))
  process.send?.(await keepBusy(send, Number(seconds)))
  process.exit(0)
}

function clients(): Record<string, () => Promise<Send>> {
  return {
    countersign: async () => {
      const provider = await makeTwilioProvider({
        accountSid: account.sid,
        authToken: account.authToken,
        from,
        maxRetries: 0,
        retryDelayMs: 100,
        requestTimeoutSeconds: 30,
        baseUrl: url,
      })
      return async (to, n) => {
        const message = {
          id: `snd_${n}`,
          to,
          country: 'US',
          channel: 'sms',
          body: BODY,
          validitySeconds: 600,
        } as const
        return (await provider.send(message, new AbortController().signal)).ok
      }
    },
    sdk: async () => {
      // The SDK as the server has it, with the client that it brings.
      const require = createRequire(new URL('../server/package.json', import.meta.url))
      const twilio = require('twilio') as typeof Twilio
      const client = twilio(account.sid, account.authToken)
      client.api.baseUrl = url
      return async (to) => {
        const message = await client.messages.create({
          to,
          from,
          body: BODY,
          validityPeriod: 600,
          riskCheck: 'enable',
          contentRetention: 'discard',
        })
        return message.sid.startsWith('SM')
      }
    },
  }
}

/** Sends for so long with so many in flight; what is on its way at the end is waited for and counted. */
async function keepBusy(send: Send, seconds: number): Promise<Sent> {
  const before = process.cpuUsage()
  const began = performance.now()
  const until = began + seconds * 1_000
  let [n, refused, rss] = [0, 0, 0]
  const watch = setInterval(() => (rss = Math.max(rss, process.memoryUsage.rss())), 100)
  await Promise.all(
    Array.from({ length: Number(inFlight) }, async () => {
      while (performance.now() < until) {
        const mine = n++
        const ok = await send(phoneAt(mine), mine).catch(() => false)
        if (!ok) refused += 1
      }
    }),
  )
  clearInterval(watch)
  const cpu = process.cpuUsage(before)
  return {
    sends: n,
    seconds: (performance.now() - began) / 1_000,
    cpuMicros: cpu.user + cpu.system,
    rssMb: rss / 2 ** 20,
    refused,
  }
}
