import { createServer, type RequestListener } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { portOf } from '../conformance/provider-faults.ts'
import { describeExample, type Call, type Running } from './behaviour.ts'
import { installExample, load } from './install.ts'
import { accessToken, ISSUER, serveKeysThatFail } from './issuer.ts'

let running: Running
let url = ''
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
  url = `http://127.0.0.1:${portOf(server)}`
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

describe('the Express example', () => {
  describeExample(() => running)

  test('deletes for who has shown a second factor a short while ago, and asks everybody else for one', async () => {
    const now = Math.floor(Date.now() / 1000)
    const mfa = ['pwd', 'otp', 'mfa']
    const deletion = async (claims: object) => {
      const headers = { authorization: `Bearer ${accessToken(claims)}` }
      const answer = await fetch(`${url}/me`, { method: 'DELETE', headers })
      return { status: answer.status, headers: answer.headers, body: await answer.json() }
    }
    for (const claims of [
      { amr: ['pwd'], auth_time: now },
      { amr: mfa, auth_time: now - 400 },
      { amr: mfa, auth_time: now + 400 },
    ]) {
      const { status, headers, body } = await deletion(claims)
      expect({ status, body }).toEqual({ status: 401, body: { code: 'step_up_required' } })
      expect(headers.get('www-authenticate')).toMatch(
        /^Bearer error="insufficient_user_authentication", error_description="[\w ]+", max_age="300"$/,
      )
    }
    expect(await deletion({ amr: mfa, auth_time: now - 200 })).toMatchObject({
      status: 200,
      body: { deleted: 'usr_01h2xcejqtf2nbrexx3vqjhp41' },
    })
  })
})
