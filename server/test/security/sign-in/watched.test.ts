import { expect, test } from 'vitest'
import { PASSWORD, post, QUICK, register, signIn } from '../../helpers/people.ts'
import { phoneOf, startServer } from '../../helpers/server.ts'

test('R10: guesses at sign-in codes are in the figures, and ring the alarm on wrong ones', async () => {
  const server = await startServer({
    settings: { STARTS_PER_ADDRESS_HOUR: '100', PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '100' },
  })
  const figure = async (name: string) => {
    const { text } = await server.api('GET', '/metrics', { key: 'none' })
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(' ')
        .at(-1),
    )
  }
  for (let n = 0; n < 20; n += 1) {
    const phone = phoneOf(n)
    await post(server, '/api/auth/otp/request', { phone })
    const wrong = await post(server, '/api/auth/verify-otp', { phone, otp: '654321' })
    expect(wrong).toMatchObject({ status: 400, body: { detail: 'Invalid OTP' } })
  }
  expect(await figure('countersign_checks_total{reason="wrong_code"}')).toBe(20)
  expect(await figure('countersign_starts_total{purpose="login",outcome="opened"}')).toBe(20)
  expect(await figure('countersign_wrong_rate_alarm')).toBe(1)
})

test('a number is told of its account no more often than its messages an hour allow', async () => {
  const server = await startServer({ settings: { ...QUICK, MESSAGES_PER_PHONE_HOUR: '2' } })
  const phone = phoneOf(0)
  const { access_token: key } = await register(server, { phone, password: PASSWORD })
  const notices = () => server.inbox.list().filter(({ body }) => body.includes('password was changed'))
  let current = PASSWORD
  for (let n = 0; n < 4; n += 1) {
    const password = `${PASSWORD} and ${n}${n}7 more`
    const changed = await post(
      server,
      '/api/auth/password/change',
      { current_password: current, password },
      { key },
    )
    expect(changed.status, changed.text).toBe(200)
    current = password
    server.clock.advance(1)
  }
  // Nobody waits for a notice; a sign-in comes after what was set about before.
  server.clock.advance(60)
  await signIn(server, phone)
  expect(notices()).toHaveLength(2)
})
