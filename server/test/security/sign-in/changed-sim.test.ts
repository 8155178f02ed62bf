import { expect, test } from 'vitest'
import { phoneOf, startServer, type TestServer } from '../../helpers/server.ts'

const PHONE = phoneOf(7)
const PASSWORD = 'a long and unlikely one'

/** Who was asked about, and what is said of them. */
async function startAsking(): Promise<{
  server: TestServer
  asked: { phone: string; userId: string }[]
  say: (next: boolean | Error) => void
}> {
  const asked: { phone: string; userId: string }[] = []
  let answer: boolean | Error = true
  const server = await startServer({
    overrides: {
      mayEnter: async (who) => {
        asked.push(who)
        if (answer instanceof Error) throw answer
        return answer
      },
    },
  })
  return {
    server,
    asked,
    say: (next) => {
      answer = next
    },
  }
}

async function signIn(server: TestServer) {
  await server.api('POST', '/api/auth/otp/request', { key: 'none', body: { phone: PHONE } })
  server.clock.advance(120)
  return server.api<{ user: { id: string } }>('POST', '/api/auth/verify-otp', {
    key: 'none',
    body: { phone: PHONE, otp: '123456' },
  })
}

test('R86: whoever knows of a changed SIM keeps the number from opening its account, by a sign-in and by a reset', async () => {
  const { server, asked, say } = await startAsking()
  const { body } = await signIn(server)
  expect(asked).toEqual([])
  say(false)
  expect(await signIn(server)).toMatchObject({ status: 403, body: { code: 'blocked' } })
  expect(asked).toEqual([{ phone: PHONE, userId: body.user.id }])
  say(new Error('the carrier does not answer'))
  expect(await signIn(server)).toMatchObject({ status: 403 })

  const reset = await server.api<{ preview_code: string }>('POST', '/api/auth/password/reset/request', {
    key: 'none',
    body: { phone: PHONE },
  })
  const verify = { phone: PHONE, code: reset.body.preview_code }
  expect(
    await server.api('POST', '/api/auth/password/reset/verify', { key: 'none', body: verify }),
  ).toMatchObject({ status: 400, body: { code: 'invalid_code' } })

  const { body: log } = await server.api<{ data: { type: string; user_id: string }[] }>(
    'GET',
    '/admin/events',
    {},
  )
  expect(log.data.filter(({ type }) => type === 'login.failed')).toHaveLength(2)
  say(true)
  server.clock.advance(120)
  expect(await signIn(server)).toMatchObject({ status: 200, body: { user: { id: body.user.id } } })
})

test('R86: a registration with the number of an account is held to the same', async () => {
  const { server, say } = await startAsking()
  await signIn(server)
  say(false)
  server.clock.advance(120)
  const started = await server.api<{ verification_id: string; preview_code: string }>(
    'POST',
    '/api/auth/register',
    {
      key: 'none',
      body: { phone: PHONE, password: PASSWORD },
    },
  )
  const { verification_id, preview_code: code } = started.body
  expect(
    await server.api('POST', '/api/auth/register/verify', { key: 'none', body: { verification_id, code } }),
  ).toMatchObject({ status: 403, body: { code: 'blocked' } })
})
