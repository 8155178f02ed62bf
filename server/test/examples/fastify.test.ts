import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { describeExample, type Call, type Running } from './behaviour.ts'
import { checkTypes, installExample, load } from './install.ts'
import { ISSUER, serveKeysThatFail } from './issuer.ts'

let running: Running
let folder = ''
const ends: (() => unknown)[] = []

beforeAll(async () => {
  folder = installExample('fastify', { packages: ['@types', 'fastify'] })
  const keys = await serveKeysThatFail()
  const { app } = await load<{ app: FastifyInstance }>(folder, 'app.ts', keys.url, ISSUER)
  ends.push(keys.close, () => app.close())
  const call: Call = async (route, token, payload = '') => {
    const answer = await app.inject({
      method: route === 'me' ? 'GET' : 'POST',
      url: `/${route}`,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(route === 'me' ? {} : { payload: payload === '' ? '{}' : payload }),
    })
    const headers = new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]))
    return { status: answer.statusCode, headers, body: answer.json() }
  }
  running = { call, keys }
})

afterAll(() => Promise.all(ends.map((end) => end())))

describe('the Fastify example', () => {
  describeExample(() => running)

  test('has types', () => checkTypes(folder, 'server.ts'))
})
