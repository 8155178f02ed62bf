import { afterAll, beforeAll, describe, test } from 'vitest'
import { describeExample, type Call, type Running } from './behaviour.ts'
import { checkTypes, installExample, load } from './install.ts'
import { ISSUER, serveKeysThatFail } from './issuer.ts'

/** A route handler, as Next.js calls it. */
type Handler = (request: Request) => Promise<Response>

const FILES = { me: 'app/api/me/route.ts', phone: 'app/api/phone/route.ts' } as const

let running: Running
let folder = ''
const ends: (() => unknown)[] = []

beforeAll(async () => {
  folder = installExample('nextjs')
  const keys = await serveKeysThatFail()
  ends.push(keys.close)
  const me = await load<{ GET: Handler }>(folder, FILES.me, keys.url, ISSUER)
  const phone = await load<{ POST: Handler }>(folder, FILES.phone, keys.url, ISSUER)
  const call: Call = async (route, token, body = '') => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const url = `http://localhost:3000/api/${route}`
    const answer = await (route === 'me'
      ? me.GET(new Request(url, { headers }))
      : phone.POST(new Request(url, { method: 'POST', headers, body })))
    return { status: answer.status, headers: answer.headers, body: await answer.json() }
  }
  running = { call, keys }
})

afterAll(() => Promise.all(ends.map((end) => end())))

describe('the Next.js example', () => {
  describeExample(() => running)

  test('has types', () => checkTypes(folder, ...Object.values(FILES)))
})
