import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import postgres from 'postgres'
import { afterAll, expect, describe, test } from 'vitest'
import { describeBackends, inLongRuns, POSTGRES, SQLITE } from '../../helpers/backends.ts'
import { Fleet } from '../../helpers/fleet.ts'
import { endProcesses, makeFolder, numberOf, ServerProcess } from '../../helpers/process.ts'
import { wrong } from '../../helpers/wire.ts'
import { PASSWORD } from './people.ts'
import { call, type Said, SETTINGS, tally } from './strangers.ts'

afterAll(endProcesses)

describeBackends(
  [POSTGRES, ...inLongRuns(SQLITE)],
  'codes of the sign-in API, three processes on',
  (backend) => {
    const fleet = Fleet.forTests(backend, { settings: SETTINGS })
    let next = 0

    /** Puts a body to all servers at once, so many times. */
    const race = (times: number, path: string, body: (n: number) => object, token?: string) =>
      Promise.all(Array.from({ length: times }, (_, n) => call(fleet().server(n), path, body(n), token)))

    /** A number that is asked about, and the code that went to it. */
    const ask = async (path: string, phone: string, token?: string) => {
      const { status, text, json } = await call(fleet().server(next), path, { phone }, token)
      expect([200, 202], text).toContain(status)
      return { id: String(json['verification_id']), code: String(json['preview_code']) }
    }

    /** A new account; gives its number and its tokens. */
    const account = async () => {
      const phone = numberOf(next++)
      const started = await call(fleet().server(next), 'register', { phone, password: PASSWORD })
      const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
      const entered = await call(fleet().server(next), 'register/verify', proof)
      expect(entered.status, entered.text).toBe(201)
      await fleet().pass(2)
      return { phone, tokens: entered.json, proof }
    }

    test('R3: of 1,000 wrong codes raced at verify-otp exactly 5 are judged', async () => {
      const phone = numberOf(next++)
      const { code } = await ask('otp/request', phone)
      const answers = await race(1_000, 'verify-otp', (n) => ({ phone, otp: wrong(code, n + 1) }))
      expect(tally(answers)).toEqual({ '400 invalid_code': 1_000 })
      expect(new Set(answers.map(({ json }) => json['detail']))).toEqual(new Set(['Invalid OTP']))
      expect(await guesses(fleet(), phone)).toEqual([5])
      expect((await call(fleet().server(0), 'verify-otp', { phone, otp: code })).status).toBe(400)
    })

    test('R4, R13, A16: of 200 right codes raced at verify-otp exactly one signs in, and the code never again', async () => {
      const phone = numberOf(next++)
      const { code } = await ask('otp/request', phone)
      const answers = await race(200, 'verify-otp', () => ({ phone, otp: code }))
      expect(tally(answers)).toEqual({ '200': 1, '400 invalid_code': 199 })
      const id = answers.find(({ status }) => status === 200)?.json.user?.id ?? ''
      expect(await sessionsOf(fleet(), id)).toBe(1)
      const again = await call(fleet().server(1), 'verify-otp', { phone, otp: code })
      expect(again.json).toMatchObject({ status: 400, detail: 'Invalid OTP', code: 'invalid_code' })
    })

    test('R4, R13: of 50 right codes raced at register/verify exactly one makes the account and signs in', async () => {
      const phone = numberOf(next++)
      const started = await call(fleet().server(0), 'register', { phone, password: PASSWORD })
      const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
      const answers = await race(50, 'register/verify', () => proof)
      expect(tally(answers)).toEqual({ '201': 1, '400 invalid_code': 49 })
      const id = answers.find(({ status }) => status === 201)?.json.user?.id ?? ''
      expect(await sessionsOf(fleet(), id)).toBe(1)
      expect((await call(fleet().server(2), 'register/verify', proof)).status).toBe(400)
      expect((await call(fleet().server(2), 'login', { identifier: phone, password: PASSWORD })).status).toBe(
        200,
      )
    })

    test('A16: of 30 right codes raced at reset/verify one gives a token, of 30 uses of that one sets a password', async () => {
      const { phone } = await account()
      const { code } = await ask('password/reset/request', phone)
      const proven = await race(30, 'password/reset/verify', () => ({ phone, code }))
      expect(tally(proven)).toEqual({ '200': 1, '400 invalid_code': 29 })
      const token = String(proven.find(({ status }) => status === 200)?.json['reset_token'])
      const passwords = Array.from({ length: 30 }, (_, n) => `${n}-Cobalt-Heron-47-ferry`)
      const set = await race(30, 'password/reset', (n) => ({ reset_token: token, password: passwords[n] }))
      expect(tally(set)).toEqual({ '200': 1, '400 invalid_code': 29 })
      const won = passwords[set.findIndex(({ status }) => status === 200)] ?? ''
      expect((await call(fleet().server(0), 'login', { identifier: phone, password: won })).status).toBe(200)
      const lost = passwords.find((password) => password !== won)
      expect((await call(fleet().server(0), 'login', { identifier: phone, password: lost })).status).toBe(401)
    })

    test('R4: of 30 right codes raced at phone/verify one changes the number', async () => {
      const { tokens } = await account()
      const to = numberOf(next++)
      const started = await call(fleet().server(0), 'phone', { phone: to }, tokens.access_token)
      expect(started.status, started.text).toBe(202)
      const proof = { verification_id: started.json['verification_id'], code: started.json['preview_code'] }
      const answers = await race(30, 'phone/verify', () => proof, tokens.access_token)
      expect(tally(answers)).toEqual({ '200': 1, '400 invalid_code': 29 })
    })

    test('R3, A19: wrong codes are judged 5 times by every other door that takes one', async () => {
      const { phone, tokens } = await account()
      const reset = await ask('password/reset/request', phone)
      await race(40, 'password/reset/verify', (n) => ({ phone, code: wrong(reset.code, n + 1) }))
      const to = numberOf(next++)
      const changed = await ask('phone', to, tokens.access_token)
      await race(
        40,
        'phone/verify',
        (n) => ({ verification_id: changed.id, code: wrong(changed.code, n + 1) }),
        tokens.access_token,
      )
      const registered = numberOf(next++)
      const { json } = await call(fleet().server(0), 'register', { phone: registered, password: PASSWORD })
      const [id, code] = [json['verification_id'], String(json['preview_code'])]
      await race(40, 'register/verify', (n) => ({ verification_id: id, code: wrong(code, n + 1) }))
      expect((await guesses(fleet(), phone)).sort()).toEqual([1, 5])
      expect(await guesses(fleet(), to)).toEqual([5])
      expect(await guesses(fleet(), registered)).toEqual([5])
    })

    test('R8, A20: one number has 20 wrong codes judged a day, whatever they are asked for by and from wherever', async () => {
      const { phone } = await account()
      let right: string | undefined
      for (let round = 0; round < 3; round++) {
        for (const [request, verify, member] of [
          ['otp/request', 'verify-otp', 'otp'],
          ['password/reset/request', 'password/reset/verify', 'code'],
        ] as const) {
          const { code } = await ask(request, phone)
          await race(20, verify, (n) => ({ phone, [member]: wrong(code, n + 1) }))
          await fleet().pass(700)
          right = code
        }
      }
      const judged = (await guesses(fleet(), phone)).reduce((sum, count) => sum + count, 0)
      // One of them made the account.
      expect(judged - 1).toBe(20)
      expect(right).toBeDefined()
      const { code } = await ask('otp/request', phone)
      const refused = await call(fleet().server(0), 'verify-otp', { phone, otp: code })
      expect(tally([refused])).toEqual({ '429 wrong_checks_per_phone_day': 1 })
      // The password is counted apart.
      const login = await call(fleet().server(0), 'login', { identifier: phone, password: PASSWORD })
      expect(login.status, login.text).toBe(200)
    })

    test('R13: after a restart a code that was used is used', async () => {
      const phone = numberOf(next++)
      const { code } = await ask('otp/request', phone)
      expect((await call(fleet().server(0), 'verify-otp', { phone, otp: code })).status).toBe(200)
      const old = fleet().servers
      await Promise.all(old.map((server) => server.kill()))
      await fleet().reboot(old)
      const again = await call(fleet().server(0), 'verify-otp', { phone, otp: code })
      expect(again.json).toMatchObject({ status: 400, detail: 'Invalid OTP' })
    })
  },
)

/** How many guesses each verification of a number has had, those without left out. */
async function guesses({ data }: Fleet, phone: string): Promise<number[]> {
  const url = data.settings['DATABASE_URL'] ?? ''
  const counts = url.startsWith('sqlite:')
    ? inSqlite(url, 'SELECT guesses AS count FROM verifications WHERE phone = ?', phone)
    : await inPostgres(url, 'SELECT guesses AS count FROM countersign.verifications WHERE phone = $1', phone)
  return counts.filter((count) => count > 0)
}

/** How many sessions a user has. */
function sessionsOf(fleet: Fleet, userId: string): Promise<number> {
  return fleet.withStorage(async ({ store }) => (await store.auth.sessionsOf(userId)).length)
}

function inSqlite(url: string, sql: string, value: string): number[] {
  const db = new DatabaseSync(url.slice('sqlite:'.length), { readOnly: true })
  const rows = db.prepare(sql).all(value)
  db.close()
  return rows.map(({ count }) => Number(count))
}

async function inPostgres(url: string, text: string, value: string): Promise<number[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return (await sql.unsafe(text, [value])).map(({ count }) => Number(count))
  } finally {
    await sql.end()
  }
}

/** Long codes: six digits turn up among so many by chance. */
const CODE_LENGTH = 10

describe('R14: what the sign-in API is told and tells', () => {
  test('no password, code or token is in the database, the log, the metrics, the events, or an answer that should not have it', async () => {
    const folder = makeFolder()
    const server = await ServerProcess.start({
      folder,
      settings: {
        ...SETTINGS,
        LOG_LEVEL: 'trace',
        CODE_LENGTH: String(CODE_LENGTH),
        DEV_PREVIEW_CODE: '8642097531',
      },
    })
    const [phone, other] = [numberOf(900), numberOf(901)]
    const passwords = [
      'Maroon-Otter-91-lantern',
      'Cobalt-Heron-47-ferry',
      'Wrong-Walrus-13-kettle',
      'password1',
    ]
    const [password = '', second = '', wrongly = '', weak = ''] = passwords
    const codes: string[] = []
    const tokens: string[] = []
    /** Answers, without the member that is meant to be told. */
    const answers: string[] = []
    let seconds = 0
    const ask = async (path: string, body: object, token?: string): Promise<Said> => {
      seconds += 30
      await server.setClock(seconds)
      const said = await call(server, path, body, token)
      const {
        preview_code: code,
        access_token: access,
        refresh_token: refresh,
        reset_token: reset,
        ...rest
      } = said.json
      if (typeof code === 'string') codes.push(code, wrong(code))
      for (const secret of [access, refresh, reset]) if (typeof secret === 'string') tokens.push(secret)
      answers.push(JSON.stringify(rest) + JSON.stringify(said.headers))
      return said
    }
    const codeOf = ({ json }: Said) => String(json['preview_code'])

    await ask('register', { phone, password: weak })
    const started = await ask('register', { phone, password, email: 'canary@example.org', name: 'Canary' })
    const id = started.json['verification_id']
    await ask('register/verify', { verification_id: id, code: wrong(codeOf(started)) })
    await ask('register/verify', { verification_id: id, code: codeOf(started), more: codeOf(started) })
    const entered = await ask('register/verify', { verification_id: id, code: codeOf(started) })
    expect(entered.status).toBe(201)
    await ask('login', { identifier: phone, password: wrongly })
    await ask('login', { identifier: password, password: wrongly })
    await ask('login', { identifier: 'canary@example.org', password: [password] })
    await ask('login', { identifier: 'canary@example.org', password, extra: password })
    const login = await ask('login', { identifier: 'canary@example.org', password })
    expect(login.status).toBe(200)
    const access = login.json.access_token
    const asked = await ask('otp/request', { phone: other })
    await ask('verify-otp', { phone: other, otp: wrong(codeOf(asked)) })
    await ask('verify-otp', { phone: other, otp: codeOf(asked) })
    await ask('verify-otp', { phone: other, otp: codeOf(asked) })
    const rotated = await ask('refresh', { refresh_token: login.json.refresh_token })
    expect(rotated.status).toBe(200)
    await ask('password/change', { current_password: wrongly, password: second }, access)
    expect(
      (await ask('password/change', { current_password: password, password: second }, access)).status,
    ).toBe(200)
    const change = await ask('phone', { phone: numberOf(902) }, String(rotated.json.access_token))
    await ask(
      'phone/verify',
      { verification_id: change.json['verification_id'], code: wrong(codeOf(change)) },
      access,
    )
    const reset = await ask('password/reset/request', { phone })
    const proven = await ask('password/reset/verify', { phone, code: codeOf(reset) })
    await ask('password/reset', { reset_token: proven.json['reset_token'], password: weak })
    expect((await ask('password/reset', { reset_token: proven.json['reset_token'], password })).status).toBe(
      200,
    )
    await ask('password/reset', { reset_token: proven.json['reset_token'], password: second })
    // It was used, and ends its session.
    await ask('refresh', { refresh_token: entered.json.refresh_token })
    await ask('logout', { refresh_token: rotated.json.refresh_token })
    // Paths and headers too are what somebody wrote.
    await server.call('GET', `/api/auth/sessions/${String(proven.json['reset_token'])}?password=${password}`)
    await server.call('DELETE', `/api/auth/sessions/${rotated.json.refresh_token}`, { key: access ?? '' })
    const metrics = await server.call('GET', '/metrics')
    const events = await server.call('GET', '/admin/events?limit=100')
    expect(events.text).toContain('password.reset')
    answers.push(metrics.text, events.text)
    await server.stop()

    expect(codes.length).toBeGreaterThanOrEqual(8)
    expect(tokens.length).toBeGreaterThanOrEqual(7)
    const places: Record<string, Buffer> = { answers: Buffer.from(answers.join('\n')) }
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) places[entry.name] = readFileSync(join(entry.parentPath, entry.name))
    }
    // The search must be able to find: what is kept lies there.
    const names = Object.keys(places)
    expect(names.some((name) => name.endsWith('.db'))).toBe(true)
    expect(names.some((name) => name.endsWith('.out'))).toBe(true)
    expect(hits(['canary@example.org', String(entered.json.user?.id)], places).length).toBeGreaterThan(2)
    // A token in parts is a token still: what it is signed with must not lie anywhere.
    const parts = tokens
      .flatMap((token) => token.split(/[._]/))
      .filter((part) => part.length >= 43 && !/^[0-9a-f]{44}$/.test(part))
    const header = new Set(parts.filter((part, at) => parts.indexOf(part) !== at))
    const secrets = [
      ...passwords.slice(0, 3),
      ...codes,
      ...tokens,
      ...parts.filter((part) => !header.has(part)),
    ]
    expect(hits(secrets, places)).toEqual([])
    const logs = Object.fromEntries(Object.entries(places).filter(([name]) => /\.(?:out|err)$/.test(name)))
    expect(hits([phone.slice(1), other.slice(1), 'canary@example.org'], logs)).toEqual([])
  })
})

/** Which of these texts lie in which of these places. */
function hits(texts: readonly string[], places: Readonly<Record<string, Buffer>>): string[] {
  return [...new Set(texts)].flatMap((text) =>
    Object.entries(places)
      .filter(([, bytes]) => bytes.includes(text) || bytes.includes(Buffer.from(text, 'utf16le')))
      .map(([name]) => `${text} in ${name}`),
  )
}
