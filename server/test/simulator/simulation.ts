import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parse } from 'node:querystring'
import { text } from 'node:stream/consumers'
import Sdk from 'twilio'
import { onTestFinished } from 'vitest'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { makeAnswerCheck } from './openapi.ts'

export const FROM = '+15005550006'
export const TO = '+14155552671'

/** An answer as it came over the wire. */
export type Answered = {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>> & { readonly sid: string; readonly code: number }
}

export type Fields = Readonly<Record<string, string | readonly string[]>>

const check = makeAnswerCheck()

/** Starts a simulator for one test, quick unless told otherwise. */
export async function simulate(options: SimulatorOptions = {}) {
  const simulator = await startSimulator({ ...options, settings: { delivery_ms: 30, ...options.settings } })
  onTestFinished(() => simulator.close())
  return { simulator, sdk: makeSdk(simulator), ...makeCalls(simulator) }
}

/** The official SDK, pointed at a simulator as a user would. */
export function makeSdk({ account, url }: Simulator, token: string = account.authToken) {
  const sdk = Sdk(account.sid, token, { autoRetry: false })
  sdk.api.baseUrl = url
  sdk.verify.baseUrl = url
  return sdk
}

/** Calls without an SDK. Every success is held to Twilio's own description. */
function makeCalls({ account, url }: Simulator) {
  const authorization = `Basic ${Buffer.from(`${account.sid}:${account.authToken}`).toString('base64')}`
  const call = async (method: string, path: string, fields?: Fields): Promise<Answered> => {
    const pairs = Object.entries(fields ?? {}).flatMap(([name, value]) =>
      [value].flat().map((each) => [name, each] as [string, string]),
    )
    const form = new URLSearchParams(pairs)
    const query = method === 'GET' && pairs.length > 0 ? `?${form.toString()}` : ''
    const answer = await fetch(url + path + query, {
      method,
      redirect: 'manual',
      headers: { authorization },
      ...(method === 'POST' ? { body: form } : {}),
    })
    const told = await answer.text()
    const isJson = (answer.headers.get('content-type') ?? '').startsWith('application/json')
    const body = (isJson && told.endsWith('}') ? JSON.parse(told) : {}) as Answered['body']
    const wrong = answer.ok && isJson ? check(method, path, answer.status, body) : undefined
    if (wrong !== undefined && told.endsWith('}')) throw new Error(wrong)
    return { status: answer.status, headers: answer.headers, body }
  }
  const base = `/2010-04-01/Accounts/${account.sid}`
  return {
    call,
    base,
    /** Sends a message. */
    send: (fields: Fields = {}) =>
      call('POST', `${base}/Messages.json`, { To: TO, From: FROM, Body: '123456 is your code', ...fields }),
    /** Makes a call. */
    ring: (fields: Fields = {}) =>
      call('POST', `${base}/Calls.json`, {
        To: TO,
        From: FROM,
        Twiml: '<Response><Say>Your code is 1, 2, 3, 4</Say></Response>',
        ...fields,
      }),
  }
}

/** A callback as an app received it. */
export type Received = {
  readonly method: string
  readonly url: string
  readonly form: Readonly<Record<string, string>>
  readonly headers: NodeJS.Dict<string | string[]>
  /** Whether the official SDK takes it for Twilio's. */
  readonly isValid: boolean
}

/** Starts an app that takes callbacks; each is held to the SDK's own check of the signature. */
export async function startApp(
  authToken: string,
  answer: { status?: number; body?: string; firstMs?: number } = {},
) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const form = { ...parse(body) } as Record<string, string>
      const url = `${app.url}${request.url}`
      const signature = String(request.headers['x-twilio-signature'])
      received.push({
        method: request.method ?? '',
        url,
        form,
        headers: request.headers,
        isValid: Sdk.validateRequest(authToken, signature, url, form),
      })
      const reply = () => response.writeHead(answer.status ?? 204).end(answer.body)
      // An app that is slow to answer the first.
      if (received.length === 1 && answer.firstMs !== undefined) setTimeout(reply, answer.firstMs)
      else reply()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const app = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
  return app
}
