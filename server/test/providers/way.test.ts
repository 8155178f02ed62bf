import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Answer } from '../../src/providers/shared/exchange.ts'
import { CONNECTIONS_MAX, TOO_MANY, WAITING_MAX, Way } from '../../src/providers/shared/way.ts'
import { deadUrl, listen } from '../conformance/provider-faults.ts'

type Reply = (response: ServerResponse, path: string) => void

describe('the way to a vendor', () => {
  /** Paths in the order in which they came. */
  const seen: string[] = []
  const held: ServerResponse[] = []
  const open: Way[] = []
  const hold: Reply = (response) => void held.push(response)
  let reply: Reply
  let origin: string
  let server: ReturnType<typeof createServer>
  let sockets: Set<Socket>

  beforeEach(async () => {
    seen.length = 0
    held.length = 0
    reply = (response) => response.end('taken')
    server = createServer((request: IncomingMessage, response) => {
      request.resume()
      const path = request.url ?? ''
      seen.push(path)
      reply(response, path)
    })
    const open = new Set<Socket>()
    sockets = open
    server.on('connection', (socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    })
    origin = `http://127.0.0.1:${await listen(server)}`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await Promise.all(open.splice(0).map((way) => way.close()))
    server.close()
  })

  function make(timeoutMs = 10_000, to = origin): Way {
    const way = new Way(to, { timeoutMs })
    open.push(way)
    return way
  }
  const ask = (way: Way, path: string, signal?: AbortSignal): Promise<Answer> =>
    way.ask({ method: 'POST', path, headers: {}, body: 'x' }, signal)
  const askMany = (way: Way, n: number, name = 'n', signal?: AbortSignal): Promise<Answer>[] =>
    Array.from({ length: n }, (_, i) => ask(way, `/${name}${i}`, signal))

  async function until(isSo: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000
    while (!isSo() && performance.now() < deadline) await sleep(5)
    expect(isSo()).toBe(true)
  }
  function answerHeld(): void {
    reply = (response) => response.end('taken')
    for (const response of held.splice(0)) response.end('taken')
  }
  /** Shows that no place is taken any more: as many as ever fit are on their way at once. */
  async function expectAllPlaces(way: Way): Promise<void> {
    reply = hold
    const all = askMany(way, CONNECTIONS_MAX, 'free')
    await until(() => seen.filter((path) => path.startsWith('/free')).length === CONNECTIONS_MAX)
    answerHeld()
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true)
  }

  test('opens so many sockets and no more; who waits has a turn, first come first served', async () => {
    const way = make()
    reply = hold
    const first = askMany(way, CONNECTIONS_MAX)
    const waiting = askMany(way, 40, 'late')
    await until(() => seen.length === CONNECTIONS_MAX)
    await sleep(50)
    expect([seen.length, sockets.size]).toEqual([CONNECTIONS_MAX, CONNECTIONS_MAX])
    // One at a time, so that the order of turns is the order of arrival.
    for (let turn = 1; turn <= 40; turn++) {
      held.shift()?.end('taken')
      await until(() => seen.length === CONNECTIONS_MAX + turn)
    }
    expect(seen.slice(CONNECTIONS_MAX)).toEqual(Array.from({ length: 40 }, (_, i) => `/late${i}`))
    answerHeld()
    const all = await Promise.all([...first, ...waiting])
    expect(all.every(({ status, text }) => status === 200 && text === 'taken')).toBe(true)
    expect(sockets.size).toBeLessThanOrEqual(CONNECTIONS_MAX)
  })

  test('turns away at once what is too many, before a byte of it left', async () => {
    const way = make()
    reply = hold
    const givingUp = new AbortController()
    const all = askMany(way, CONNECTIONS_MAX)
    const waiting = askMany(way, WAITING_MAX - 1, 'waiting')
    const last = ask(way, '/last', givingUp.signal)
    const refused = { left: false, status: undefined, headers: {}, text: undefined, broken: TOO_MANY }
    expect(await ask(way, '/too-many')).toEqual(refused)
    // Whoever gives up makes room for another.
    givingUp.abort()
    expect(await last).toMatchObject({ left: false, broken: 'aborted' })
    const next = ask(way, '/next')
    expect(await ask(way, '/too-many')).toEqual(refused)
    await until(() => held.length === CONNECTIONS_MAX)
    answerHeld()
    const answers = await Promise.all([...all, ...waiting, next])
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(seen).toHaveLength(CONNECTIONS_MAX + WAITING_MAX)
    expect(seen).not.toContain('/too-many')
    expect(seen).not.toContain('/last')
  })

  test('counts the wait for a socket as time of the request', async () => {
    const way = make(400)
    reply = hold
    const all = askMany(way, CONNECTIONS_MAX)
    await sleep(200)
    // It waits 200 ms for a socket, and is given up before one that would have counted from then on. Timers that are late
    // still ring in their order.
    const late = ask(way, '/late')
    const fromItsSocket = sleep(550, 'is not counted')
    expect(await Promise.race([late, fromItsSocket])).toMatchObject({ status: undefined, broken: 'timeout' })
    expect(await Promise.all(all)).toMatchObject(all.map(() => ({ left: true, broken: 'timeout' })))
    await expectAllPlaces(way)
  })

  test('writes nothing for who had given up before', async () => {
    const way = make()
    expect(await ask(way, '/never', AbortSignal.abort())).toMatchObject({ left: false, broken: 'aborted' })
    await expectAllPlaces(way)
    expect(seen).not.toContain('/never')
  })

  test('loses no place to answers that break, come late, or nobody waits for any more', async () => {
    const way = make(2_000)
    const fates: readonly Reply[] = [
      (response) => response.end('taken'),
      (response) => response.writeHead(200, { connection: 'close' }).end('taken'),
      (response) => response.destroy(),
      (response) => response.socket?.resetAndDestroy(),
      (response) =>
        response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy()),
      (response) => setTimeout(() => response.end('taken'), 30),
      hold,
      (response) => response.socket?.end('HTTP/1.1 nonsense\r\n\r\n'),
      (response) => response.end('x'.repeat(100_000)),
    ]
    reply = (response, path) => fates[Number(path.slice(2)) % fates.length]?.(response, path)
    const all = Array.from({ length: 2_000 }, (_, i) => {
      const signal = i % 5 === 0 ? AbortSignal.timeout(i % 900) : undefined
      return ask(way, `/n${i}`, signal)
    })
    const answers = await Promise.all(all)
    expect(new Set(answers.map(({ broken }) => broken))).toContain('too_large')
    expect(answers.filter(({ text }) => text === 'taken').length).toBeGreaterThan(100)
    // What was seen left; what did not leave was not seen.
    answers.forEach(({ left }, i) => {
      if (seen.includes(`/n${i}`)) expect([i, left]).toEqual([i, true])
    })
    await expectAllPlaces(way)
  })

  test('loses no place to a vendor that cannot be reached, nor to a request that HTTP cannot carry', async () => {
    const dead = make(10_000, await deadUrl())
    const refused = await Promise.all(askMany(dead, CONNECTIONS_MAX * 2))
    expect(refused).toMatchObject(refused.map(() => ({ left: false, broken: 'ECONNREFUSED' })))
    const way = make()
    for (let n = 0; n < CONNECTIONS_MAX; n++) {
      const answer = await way.ask({ method: 'POST', path: '/', headers: { bad: 'a\nb' }, body: null })
      expect(answer).toMatchObject({ left: false, status: undefined })
    }
    await expectAllPlaces(way)
  })

  test('waits for the final answer behind an early hint', async () => {
    reply = (response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      setTimeout(() => response.writeHead(202).end('taken'), 30)
    }
    expect(await ask(make(), '/')).toMatchObject({ left: true, status: 202, text: 'taken' })
  })

  test('closes after what is on its way and what waits, and takes nothing more', async () => {
    const way = make()
    reply = hold
    const all = askMany(way, CONNECTIONS_MAX + 20)
    await until(() => held.length === CONNECTIONS_MAX)
    let isClosed = false
    const closing = Promise.all([way.close(), way.close()]).then(() => void (isClosed = true))
    expect(await ask(way, '/after')).toMatchObject({ left: false, broken: 'closed' })
    await sleep(30)
    expect(isClosed).toBe(false)
    answerHeld()
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true)
    await closing
    await way.close()
    await until(() => sockets.size === 0)
    expect(seen).not.toContain('/after')
  })
})
