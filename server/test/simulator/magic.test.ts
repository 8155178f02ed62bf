import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { tryParsePhone } from '../../src/primitives/phone.ts'
import { MAGIC } from '../../src/simulator/magic.ts'
import { FROM, simulate, startApp, TO } from './simulation.ts'

/** A valid number with this ending. */
const number = (ending: string) => `+141555${ending}`
const AC = `VA${'3c'.repeat(16)}`
const MANUAL = readFileSync(join(import.meta.dirname, '../../../docs/simulator.md'), 'utf8')

describe('the numbers of Twilio’s test credentials', () => {
  test.each([
    ['From', '+15005550001', 21212, 400],
    ['From', '+15005550007', 21606, 400],
    ['From', '+15005550008', 21611, 429],
    ['From', '+14155550100', 21606, 400],
    ['To', '+15005550001', 21211, 400],
    ['To', '+15005550002', 21612, 400],
    ['To', '+15005550003', 21408, 400],
    ['To', '+15005550004', 21610, 400],
    ['To', '+15005550009', 21614, 400],
  ])('a message with %s %s is refused with %i', async (name, value, code, status) => {
    const { send, simulator } = await simulate()
    const refused = await send({ [name]: value })
    expect(refused.status).toBe(status)
    expect(refused.body).toMatchObject({ code, status })
    expect(simulator.phones.list()).toEqual([])
  })

  test.each([
    ['From', '+15005550001', 21212],
    ['From', '+15005550007', 21210],
    ['To', '+15005550001', 21217],
    ['To', '+15005550002', 21214],
    ['To', '+15005550003', 21215],
    ['To', '+15005550004', 21216],
  ])('a call with %s %s is refused with %i', async (name, value, code) => {
    const { ring } = await simulate()
    expect((await ring({ [name]: value })).body).toMatchObject({ code, status: 400 })
  })

  test('from the one that works, to any other', async () => {
    const { send, ring } = await simulate()
    expect((await send({ From: FROM, To: '+15005550006' })).status).toBe(201)
    expect((await ring({ From: FROM, To: '+15005550009' })).status).toBe(201)
  })
})

describe('numbers that end in a refusal', () => {
  const refusals = [...MAGIC].filter(([, { refuse, times }]) => refuse !== undefined && times === undefined)

  test.each(refusals)('%s', async (ending, { refuse }) => {
    const { send, ring, call, simulator } = await simulate()
    const To = number(ending)
    const answers = [
      await send({ To }),
      await ring({ To }),
      await call('POST', `/v2/Services/${AC}/Verifications`, { To, Channel: 'sms' }),
    ]
    const refused = answers.filter(({ status }) => status >= 400)
    expect(refused).toHaveLength(ending < '21000' ? 3 : 1)
    for (const { body } of refused) expect(body.code).toBe(refuse)
    expect(simulator.phones.list()).toHaveLength(3 - refused.length)
  })

  test.each([
    ['20429', 429, '1'],
    ['00500', 500, null],
    ['00503', 503, null],
    ['21408', 400, null],
  ])('%s is refused with the HTTP status %i', async (ending, status, retryAfter) => {
    const { send } = await simulate()
    const refused = await send({ To: number(ending) })
    expect(refused.status).toBe(status)
    expect(refused.headers.get('retry-after')).toBe(retryAfter)
  })

  test.each([
    ['04293', 429, 3],
    ['05031', 503, 1],
  ])('%s is refused with %i %i×, taken once, and begins again', async (ending, status, times) => {
    const { send } = await simulate()
    const answers: number[] = []
    for (let n = 0; n < 2 * (times + 1); n++) answers.push((await send({ To: number(ending) })).status)
    const round = [...Array<number>(times).fill(status), 201]
    expect(answers).toEqual([...round, ...round])
  })
})

describe('numbers whose answer goes wrong', () => {
  test.each([
    ['01002', 1],
    ['01003', 0],
  ])('%s closes the connection, with %i message taken', async (ending, taken) => {
    const { send, simulator } = await simulate()
    await expect(send({ To: number(ending) })).rejects.toThrow('fetch failed')
    expect(simulator.phones.list()).toHaveLength(taken)
  })

  test('01004 cuts the answer in half; the message is taken', async () => {
    const { simulator } = await simulate()
    const { url, account } = simulator
    const form = new URLSearchParams({ To: number('01004'), From: FROM, Body: 'hello' })
    const answer = await fetch(`${url}/2010-04-01/Accounts/${account.sid}/Messages.json`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Basic ${btoa(`${account.sid}:${account.authToken}`)}` },
    })
    expect(answer.status).toBe(201)
    await expect(answer.json()).rejects.toThrow(SyntaxError)
    expect(simulator.phones.list()).toHaveLength(1)
  })

  test('00200 answers with a page, 00302 with another place; nothing is taken', async () => {
    const { send, simulator } = await simulate()
    const page = await send({ To: number('00200') })
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    const elsewhere = await send({ To: number('00302') })
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([302, '/simulator/elsewhere'])
    expect(simulator.phones.list()).toEqual([])
  })

  test.each([
    ['01001', 1, true],
    ['01005', 0, false],
  ])('%s does not answer at once, with %i message taken; later: %s', async (ending, taken, comes) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { send, simulator } = await simulate()
      let answered = 0
      void send({ To: number(ending) }).then(
        ({ status }) => (answered = status),
        () => {},
      )
      const turns = async (n: number) => {
        for (let each = 0; each < n; each++) await new Promise((resolve) => setImmediate(resolve))
      }
      await turns(2_000)
      expect(simulator.phones.list()).toHaveLength(taken)
      vi.advanceTimersByTime(24_000)
      await turns(500)
      expect(answered).toBe(0)
      vi.advanceTimersByTime(2_000)
      await turns(2_000)
      expect(answered).toBe(comes ? 201 : 0)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('numbers that messages do not reach', () => {
  const ends = [...MAGIC].filter(([, { message }]) => message !== undefined && !message.thenDelivered)

  test.each(ends)('%s', async (ending, { message }) => {
    const { send, call, base, simulator } = await simulate()
    const app = await startApp(simulator.account.authToken)
    const { body } = await send({ To: number(ending), StatusCallback: app.url })
    await vi.waitFor(() => expect(app.received.at(-1)?.form['ErrorCode']).toBe(String(message?.error)))
    expect(app.received.at(-1)?.form['MessageStatus']).toBe(message?.status)
    const { body: now } = await call('GET', `${base}/Messages/${body.sid}.json`)
    expect(now).toMatchObject({ status: message?.status, error_code: message?.error })
  })

  test('02005 is undelivered, then delivered after all', async () => {
    const { send, simulator } = await simulate()
    const app = await startApp(simulator.account.authToken)
    await send({ To: number('02005'), StatusCallback: app.url })
    await vi.waitFor(() => expect(app.received).toHaveLength(4))
    expect(app.received.map(({ form }) => form['MessageStatus'])).toEqual([
      'sending',
      'sent',
      'undelivered',
      'delivered',
    ])
    expect(app.received.at(-1)?.form['ErrorCode']).toBeUndefined()
    expect(simulator.phones.last(number('02005'))).toMatchObject({ status: 'delivered', error: null })
  })
})

test.each([
  ['02001', []],
  ['02002', ['delivered', 'delivered']],
  ['02003', ['delivered']],
  ['02004', []],
])('%s is told of the delivery like that: %j', async (ending, told) => {
  const { send, simulator } = await simulate()
  const app = await startApp(simulator.account.authToken)
  await send({ To: number(ending), StatusCallback: app.url })
  await new Promise((resolve) => {
    setTimeout(resolve, 500)
  })
  const statuses = app.received.map(({ form }) => form['MessageStatus'])
  expect(statuses.filter((status) => status === 'delivered')).toEqual(told)
  if (ending === '02003') expect(statuses).toEqual(['delivered', 'sent', 'sending'])
})

test.each([
  ['03001', 'busy'],
  ['03002', 'no-answer'],
  ['03003', 'failed'],
])('a call to %s ends as %s', async (ending, status) => {
  const { ring, simulator } = await simulate()
  const app = await startApp(simulator.account.authToken)
  await ring({ To: number(ending), StatusCallback: app.url })
  await vi.waitFor(() => expect(app.received).toHaveLength(1))
  expect(app.received[0]?.form).toMatchObject({ CallStatus: status })
  expect(simulator.phones.last(number(ending))?.status).toBe(status)
})

test('without magic they are numbers like others', async () => {
  const { send } = await simulate({ settings: { magic: false } })
  for (const ending of ['00500', '01003', '20429', '21408']) {
    expect((await send({ To: number(ending) })).status).toBe(201)
  }
})

test('every ending makes valid numbers of several countries, and has its place in the manual', () => {
  for (const [ending, { times }] of MAGIC) {
    for (const prefix of ['+141555', '+4479111', '+336123']) {
      expect(tryParsePhone(prefix + ending), prefix + ending).toBeDefined()
    }
    const name = times === undefined ? ending : `${ending.slice(0, 4)}n`
    expect(MANUAL, name).toContain(`\`…${name}\``)
  }
  expect(TO).not.toSatisfy((to: string) => MAGIC.has(to.slice(-5)))
})
