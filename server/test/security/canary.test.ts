import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { Provider } from '../../src/messaging/provider.ts'
import { makeKeyRing } from '../../src/primitives/secrets.ts'
import { deriveCode } from '../../src/verify/codes.ts'
import { QUICK } from '../helpers/people.ts'
import { type Answer, endProcesses, numberOf, PK, SECRET_KEY, ServerProcess, SK } from '../helpers/process.ts'
import { makeTempDir, startServer } from '../helpers/server.ts'
import { wrong } from '../helpers/wire.ts'
import { liveWithFactors } from './canary-person.ts'
import { search } from './dump-search.ts'
import { type Dump, openDatabase } from './dumps.ts'

/** Long codes: six digits turn up among so many by chance. */
const CODE_LENGTH = 10
/** A word of every message, and of nothing else. */
const MARK = 'Zanzibar'
const AUTH_TOKEN = 'auth-token-of-the-canary-test'

afterAll(endProcesses)

const closing: Server[] = []
afterEach(() => {
  for (const server of closing.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** How the vendor misbehaves, by what it does with the text it was given. */
const WAYS = ['takes', 'refuses', 'fails', 'garbles', 'resets', 'throttles', 'hangs'] as const

/** A vendor that says the text it was given back in every way it can, and keeps what it was given. */
async function startParrot(texts: string[]): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      // Asked what it has, it has nothing.
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"messages":[]}')
        return
      }
      const form = new URLSearchParams(Buffer.concat(chunks).toString())
      const text = form.get('Body') ?? ''
      texts.push(text)
      const json = (status: number, body: object) => {
        response.writeHead(status, { 'content-type': 'application/json', 'x-echo': encodeURIComponent(text) })
        response.end(JSON.stringify(body))
      }
      switch (WAYS[Number((form.get('To') ?? '').slice(-1)) % WAYS.length]) {
        case 'takes':
          return json(201, { sid: `SM${'0'.repeat(32)}`, status: 'queued', body: text })
        case 'refuses':
          return json(400, { code: 21_211, message: text, more_info: text, status: 400 })
        case 'fails':
          return json(500, { code: 20_500, message: text, status: 500 })
        case 'garbles':
          return response.writeHead(200, { 'content-type': 'text/html' }).end(`<html>${text}</html>`)
        case 'resets':
          return request.socket.resetAndDestroy()
        case 'throttles':
          return json(429, { code: 20_429, message: text, status: 429 })
        default:
          return undefined
      }
    })
  })
  closing.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Every way a text may lie in a file or on the wire. */
function formsOf(text: string): Buffer[] {
  const wide = Buffer.from(text, 'utf16le')
  return [Buffer.from(text), wide, Buffer.from(wide).swap16()]
}

/** Which of these texts lie in which of these places, as `text in place`. */
function hits(texts: Iterable<string>, places: Readonly<Record<string, Buffer>>): string[] {
  const found: string[] = []
  for (const text of new Set(texts)) {
    for (const [name, bytes] of Object.entries(places)) {
      if (formsOf(text).some((form) => bytes.includes(form))) found.push(`${text} in ${name}`)
    }
  }
  return found
}

function wholeOf({ text, headers }: Answer): string {
  return text + JSON.stringify(headers)
}

/** Lines of text, as something that secrets are looked for in. */
function linesOf(lines: readonly string[]): Dump {
  return {
    rows: lines.map((line) => ({ table: 'text', columns: { line: `: ${line}` } })),
    bytes: Buffer.from(lines.join('\n')),
  }
}

function filesOf(folder: string): Record<string, Buffer> {
  const files: Record<string, Buffer> = {}
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files[entry.name] = readFileSync(join(entry.parentPath, entry.name))
  }
  return files
}

/** Takes one number through everything that can happen to it. Gives the codes that were in play. */
async function wholeLife(
  server: ServerProcess,
  to: string,
  answers: Answer[],
  advance: () => Promise<void>,
): Promise<string[]> {
  const keep = async (work: Promise<Answer>) => {
    const answer = await work
    answers.push(answer)
    return answer
  }
  const codes: string[] = []
  const life = async (purpose: string): Promise<{ id: string; code: string }> => {
    const started = await keep(
      server.start(
        to,
        { purpose, nonce: 'canary', metadata: { order: '7' }, locale: 'de' },
        { headers: { 'idempotency-key': `${to}-${purpose}` } },
      ),
    )
    const id =
      started.body.id ?? (JSON.parse(started.text) as { verification_id?: string }).verification_id ?? ''
    const code = deriveCode(makeKeyRing(SECRET_KEY).current, id, CODE_LENGTH)
    codes.push(code)
    return { id, code }
  }

  const { id, code } = await life('verify')
  const path = `/v1/verifications/${id}`
  await keep(server.check(id, wrong(code)))
  codes.push(wrong(code))
  for (const odd of [` ${code}`, `${code}\u0000`, [code], { $ne: code }, Number(code)]) {
    await keep(server.call('POST', `${path}/check`, { body: { code: odd } }))
  }
  await keep(server.call('POST', `${path}/check`, { body: { code, more: code } }))
  await keep(server.call('POST', `${path}/check`, { key: 'none', body: { code } }))
  await keep(
    server.call('POST', `${path}/check`, { body: { code }, headers: { 'content-type': 'text/plain' } }),
  )
  await keep(server.start(to))
  await advance()
  await keep(server.call('POST', `${path}/resend`))
  await keep(server.check(id, code, { key: 'pk' }))
  await keep(server.check(id, code))
  await keep(server.call('POST', '/v1/checks', { body: { to, code } }))
  for (const more of ['', `?to=${encodeURIComponent(to)}`])
    await keep(server.call('GET', `/v1/verifications${more}`))
  for (const what of ['status', 'limits']) await keep(server.call('GET', `/v1/phones/${to}/${what}`))

  const canceled = await life('login')
  await keep(server.call('POST', `/v1/verifications/${canceled.id}/cancel`))
  await keep(server.check(canceled.id, canceled.code))
  await advance()
  const late = await life('reset')
  for (let n = 0; n < 20; n++) await advance()
  await keep(server.check(late.id, late.code))
  await keep(server.call('GET', path))
  return codes
}

test(
  'R14: no code, no text and no secret is in the database, the log, the metrics or an answer, whatever the vendor says back',
  { timeout: 90_000 },
  async () => {
    const texts: string[] = []
    let server = await ServerProcess.start({
      settings: {
        LOG_LEVEL: 'trace',
        DEV_MODE: 'false',
        CODE_LENGTH: String(CODE_LENGTH),
        SERVICE_NAME: MARK,
        SMS_PROVIDER: 'twilio',
        TWILIO_ACCOUNT_SID: `AC${'0a'.repeat(16)}`,
        TWILIO_AUTH_TOKEN: AUTH_TOKEN,
        TWILIO_PHONE_NUMBER: '+15005550006',
        TWILIO_BASE_URL: await startParrot(texts),
        TWILIO_MAX_RETRIES: '1',
        TWILIO_RETRY_DELAY_MS: '1',
        TWILIO_REQUEST_TIMEOUT_SECS: '1',
      },
    })
    const answers: Answer[] = []
    const codes: string[] = []
    const numbers = WAYS.map((_, n) => numberOf(10 * n + n))
    let clockSeconds = 0
    const advance = async () => {
      clockSeconds += 40
      await server.setClock(clockSeconds)
    }
    for (const to of numbers) codes.push(...(await wholeLife(server, to, answers, advance)))
    // Crashed in the middle of sends, and up again.
    const lost = numbers.map((_, n) => server.start(numberOf(500 + n)).catch(() => undefined))
    await sleep(30)
    await server.kill()
    await Promise.all(lost)
    server = await server.again({ clockSeconds })
    answers.push(await server.call('GET', '/metrics'))
    answers.push(await server.call('GET', `/v1/verifications?limit=100`))
    await sleep(400)
    await server.kill()

    // The search must be able to find: the texts did go out with these very codes, and ids lie in the file.
    expect(texts.length).toBeGreaterThan(WAYS.length * 3)
    const sent = texts.map((text) => /\d{10}/.exec(text)?.[0])
    expect(codes.filter((code) => sent.includes(code)).length).toBeGreaterThanOrEqual(WAYS.length * 2)
    for (const text of texts) expect(text).toContain(MARK)
    const id = /ver_\w+/.exec(answers[0]?.text ?? '')?.[0] ?? 'no id'
    const files = filesOf(server.folder)
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['countersign.db', 'countersign.db-wal', 'countersign.db-shm']),
    )
    expect(Object.keys(files).filter((name) => /\.(?:out|err)$/.test(name))).toHaveLength(4)
    expect(hits([id], files).length).toBeGreaterThan(0)

    const bodies = Object.fromEntries(
      answers.map(({ text, headers }, n) => [
        `answer ${n}: ${text.slice(0, 200)}`,
        Buffer.from(text + JSON.stringify(headers)),
      ]),
    )
    expect(answers.some(({ status }) => status >= 500)).toBe(true)
    const places = { ...files, ...bodies }
    const secrets = [MARK, SK, PK, SECRET_KEY, AUTH_TOKEN, ...texts]
    const allCodes = [...codes, ...sent.filter((code) => code !== undefined)]
    expect(hits([...allCodes, ...secrets], places)).toEqual([])
    const logs = Object.fromEntries(Object.entries(files).filter(([name]) => /\.(?:out|err)$/.test(name)))
    expect(
      hits(
        numbers.map((to) => to.slice(1)),
        logs,
      ),
    ).toEqual([])
    const figures = Buffer.from(
      answers.find(({ text }) => text.includes('countersign_starts_total'))?.text ?? '',
    )
    expect(figures.length).toBeGreaterThan(1_000)
    expect(hits([...numbers.map((to) => to.slice(1)), id], { figures })).toEqual([])
  },
)

test(
  'R14, R69, R80, R85: no secret of a second factor is in the database, the log, the metrics, a text or another answer',
  { timeout: 90_000 },
  async () => {
    const texts: string[] = []
    const server = await ServerProcess.start({
      settings: {
        ...QUICK,
        LOG_LEVEL: 'trace',
        DEV_MODE: 'false',
        CODE_LENGTH: String(CODE_LENGTH),
        SMS_PROVIDER: 'twilio',
        TWILIO_ACCOUNT_SID: `AC${'0a'.repeat(16)}`,
        TWILIO_AUTH_TOKEN: AUTH_TOKEN,
        TWILIO_PHONE_NUMBER: '+15005550006',
        TWILIO_BASE_URL: await startParrot(texts),
      },
    })
    // The parrot takes what is for this number.
    const { answers, told } = await liveWithFactors(server, numberOf(0), () => texts.at(-1) ?? '')
    const metrics = await server.call('GET', '/metrics')
    expect(metrics.text).toContain('countersign_starts_total')
    await sleep(400)
    await server.kill()

    // The search finds what was told where it was told.
    const telling = answers.filter((answer) => told.some(({ by }) => by === answer))
    const kinds = new Set(told.filter(({ by }) => by !== undefined).map(({ kind }) => `${kind}, as it is`))
    expect(kinds.size).toBe(9)
    expect(new Set(Object.keys(search(linesOf(telling.map(wholeOf)), told)))).toEqual(kinds)
    for (const answer of telling) {
      const others = told.filter(({ by }) => by !== answer)
      const about = answer.text.slice(0, 100)
      expect([about, search(linesOf([wholeOf(answer)]), others)]).toEqual([about, {}])
    }
    const silent = answers.filter((answer) => !telling.includes(answer))
    expect(search(linesOf(silent.map(wholeOf)), told)).toEqual({})
    const lines = [server.stdout, server.stderr].flatMap((text) => text.split('\n'))
    expect(lines.length).toBeGreaterThan(answers.length)
    expect(search(linesOf([...lines, metrics.text]), told)).toEqual({})
    // Texts hold the codes that are sent by text.
    expect(search(linesOf(texts), told)).toEqual({ 'text code, as it is': 4 })

    const database = openDatabase(`sqlite:${server.database}`)
    const dump = await database.dump()
    await database.close()
    // Random tokens of 256 bits are looked up by their hash.
    expect(Object.keys(search(dump, told)).sort()).toEqual([
      'challenge token, sha256 in hex',
      'reset token, sha256 in hex',
    ])
  },
)

test('R14: a provider that throws the text at us is answered, logged and stored without it', async () => {
  const texts: string[] = []
  const provider: Provider = {
    name: 'thrower',
    channels: ['sms'],
    send: async ({ body, to }) => {
      texts.push(body)
      const error = new Error(`cannot send to ${to}: ${body}`, { cause: new Error(body) })
      throw Object.assign(error, { body, code: body, response: { text: body } })
    },
  }
  const dataDir = makeTempDir()
  const server = await startServer({
    dataDir,
    settings: { LOG_LEVEL: 'trace', DEV_MODE: 'false', CODE_LENGTH: '10', SERVICE_NAME: MARK },
    overrides: { providers: [provider] },
  })
  const answers: string[] = []
  for (let n = 0; n < 5; n++) {
    const { text } = await server.api('POST', '/v1/verifications', { body: { to: numberOf(n) } })
    const sent = await server.api('POST', '/v1/messages', { body: { to: numberOf(n), body: `${MARK} ${n}` } })
    answers.push(text, sent.text)
    // A provider that fails again and again is left alone for a while.
    server.clock.advance(120)
  }
  answers.push((await server.app.inject('/metrics')).body)
  const codes = texts.flatMap((text) => /\d{10}/.exec(text) ?? [])
  expect(codes).toHaveLength(5)
  const places = {
    ...filesOf(dataDir),
    log: Buffer.from(server.logs.join('\n')),
    answers: Buffer.from(answers.join('\n')),
  }
  expect(hits([...codes, ...texts, MARK], places)).toEqual([])
  expect(
    hits(
      Array.from({ length: 5 }, (_, n) => numberOf(n).slice(1)),
      { log: places.log },
    ),
  ).toEqual([])
})
