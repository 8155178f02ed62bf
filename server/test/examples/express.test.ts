import { createServer, type RequestListener } from 'node:http'
import { afterAll, beforeAll, describe } from 'vitest'
import { portOf } from '../conformance/provider-faults.ts'
import { describeExample, type Call, type Running } from './behaviour.ts'
import { installExample, load } from './install.ts'
import { ISSUER, serveKeysThatFail } from './issuer.ts'

let running: Running
const ends: (() => unknown)[] = []

beforeAll(async () => {
  const folder = installExample('express', { packages: ['express'] })
  const keys = await serveKeysThatFail()
  const { app } = await load<{ app: RequestListener }>(folder, 'app.js', keys.url, ISSUER)
  const server = createServer(app)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  ends.push(keys.close, () => server.close())
  const url = `http://127.0.0.1:${portOf(server)}`
  const call: Call = async (route, token, body = '') => {
    const answer = await fetch(`${url}/${route}`, {
      method: route === 'me' ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(route === 'me' ? {} : { body }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: text.startsWith('{') ? JSON.parse(text) : text,
    }
  }
  running = { call, keys }
})

afterAll(() => Promise.all(ends.map((end) => end())))

describe('the Express example', () => describeExample(() => running))
