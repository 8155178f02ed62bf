import { Type } from 'typebox'
import type { Verification } from '../../verify/verification.ts'
import type { App } from '../app.ts'
import { Locale, problems, Time, time, Words } from '../schemas.ts'
import type { Services } from '../services.ts'
import { answerGrant, challengeView, deviceView, Done } from './views.ts'

const ChallengeToken = Type.String({ minLength: 1, maxLength: 100 })
const Code = Type.String({ minLength: 1, maxLength: 40 })
const Method = Words(['sms', 'app'], 'Texts to your number, or an authenticator app')
const tags = ['Second factor']
const anyone = { tags, security: [] }
const user = { tags, security: [{ user: [] }] }

const send = {
  ...anyone,
  summary: 'Send the code of a challenge',
  body: Type.Object(
    { challenge_token: ChallengeToken, locale: Type.Optional(Locale) },
    { additionalProperties: false },
  ),
  response: {
    200: Type.Object({
      resend_at: Time,
      expires_at: Time,
      preview_code: Type.Optional(Type.String({ description: 'In development only' })),
    }),
    ...problems(400, 401, 403, 413, 415, 429, 500, 503),
  },
}
const verify = {
  ...anyone,
  summary: 'Sign in with a second factor',
  description: 'A challenge has five tries in all, whatever they are at, and is good once.',
  body: Type.Object(
    {
      challenge_token: ChallengeToken,
      factor: Words(['sms', 'totp', 'backup_code'], 'What is shown'),
      code: Code,
      remember_device: Type.Optional(
        Type.Boolean({ description: 'Spare this device the second factor from now on' }),
      ),
    },
    { additionalProperties: false },
  ),
  response: { 200: Type.Ref('Tokens'), ...problems(400, 401, 403, 413, 415, 429, 500, 503) },
}
const startOver = {
  ...anyone,
  summary: 'Make an account of your own',
  description:
    'For whoever has a number that was another person’s before. That account keeps everything but the number.',
  body: Type.Object({ challenge_token: ChallengeToken }, { additionalProperties: false }),
  response: { 200: Type.Ref('Tokens'), ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const stepUp = {
  ...user,
  summary: 'Ask to show a second factor again',
  description:
    'Before what wants one that was shown a short while ago. Shown, it changes the session for a new one.',
  response: { 200: Type.Ref('SecondFactorRequired'), ...problems(400, 401, 403, 429, 503) },
}
const enable = {
  ...user,
  summary: 'Begin to turn a second factor on',
  body: Type.Object({ method: Method, locale: Type.Optional(Locale) }, { additionalProperties: false }),
  response: {
    200: Type.Object({
      secret: Type.Optional(Type.String({ description: 'Of an app, in base32' })),
      otpauth_url: Type.Optional(Type.String()),
      qr_svg: Type.Optional(Type.String({ description: 'The URL, to be scanned' })),
      resend_at: Type.Optional(Time),
      expires_at: Type.Optional(Time),
      preview_code: Type.Optional(Type.String({ description: 'In development only' })),
    }),
    ...problems(400, 401, 403, 413, 415, 429, 500, 503),
  },
}
const confirm = {
  ...user,
  summary: 'Turn it on with its first code',
  description: 'Ends every other session, and makes new backup codes.',
  body: Type.Object({ code: Code }, { additionalProperties: false }),
  response: { 200: Type.Ref('BackupCodes'), ...problems(400, 401, 403, 413, 415, 429, 500, 503) },
}
const disable = {
  ...user,
  summary: 'Turn a second factor off',
  description: 'All of them unless one is named. Every device is forgotten.',
  body: Type.Unsafe<{ method?: 'sms' | 'app' } | null>({
    type: ['object', 'null'],
    properties: { method: { type: 'string', enum: ['sms', 'app'] } },
    additionalProperties: false,
  }),
  response: { 200: Done, ...problems(400, 401, 403, 413, 415, 429, 503) },
}
const renew = {
  ...user,
  summary: 'Make new backup codes',
  description: 'Those there were are worth nothing any more.',
  response: { 200: Type.Ref('BackupCodes'), ...problems(400, 401, 403, 429, 503) },
}
const list = {
  ...user,
  summary: 'List the remembered devices',
  response: { 200: Type.Object({ data: Type.Array(Type.Ref('Device')) }), ...problems(401, 403, 429, 503) },
}
const end = {
  ...user,
  summary: 'Forget a device',
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) }),
  response: { 204: Type.Null(), ...problems(401, 403, 404, 429, 503) },
}

/**
 * `/api/auth/2fa` and `/api/auth/devices`. Limits: five tries of a challenge, wrong codes of an app for the account, the
 * number's messages and wrong guesses, the address's or the session's calls.
 */
export function secondFactor(app: App, services: Services): void {
  const { secondFactor: login, factors } = services.auth
  const [open, own] = [{ access: 'anyone' as const }, { access: 'user' as const }]
  const setup = { ...own, isSetup: true }
  app.post('/api/auth/2fa/send', { schema: send, config: open }, async (request) => {
    const { challenge_token: token, locale } = request.body
    const verification = await login.send(token, request.client, locale)
    return sentView(services, verification)
  })
  app.post('/api/auth/2fa/verify', { schema: verify, config: open }, async (request, reply) => {
    const { challenge_token: token, factor, code, remember_device: isRemembered } = request.body
    const grant = await login.verify(token, { factor, code, isRemembered }, request.client)
    return answerGrant(services, request, reply, grant)
  })
  app.post('/api/auth/2fa/start-over', { schema: startOver, config: open }, async (request, reply) => {
    const grant = await login.startOver(request.body.challenge_token, request.client)
    return answerGrant(services, request, reply, grant)
  })
  app.post('/api/auth/2fa/challenge', { schema: stepUp, config: own }, async (request) =>
    challengeView(await login.stepUp(request.who)),
  )
  app.post('/api/auth/2fa/enable', { schema: enable, config: setup }, async (request) => {
    const { method, locale } = request.body
    const begun = await factors.enable(request.who, method, request.client, locale)
    if (begun.method === 'sms') return sentView(services, begun.verification)
    return { secret: begun.secret, otpauth_url: begun.otpauthUrl, qr_svg: begun.qrSvg }
  })
  app.post('/api/auth/2fa/confirm', { schema: confirm, config: setup }, async (request) => {
    const codes = await factors.confirm(request.who, request.body.code, request.client)
    return { backup_codes: [...codes] }
  })
  app.post('/api/auth/2fa/disable', { schema: disable, config: own }, async (request) => {
    await factors.disable(request.who, request.body?.method, request.client)
    return { status: 'ok' as const }
  })
  app.post('/api/auth/2fa/backup-codes', { schema: renew, config: own }, async (request) => ({
    backup_codes: [...(await factors.renewBackupCodes(request.who, request.client))],
  }))
  app.get('/api/auth/devices', { schema: list, config: own }, async (request) => ({
    data: (await factors.devices(request.who)).map(deviceView),
  }))
  app.delete('/api/auth/devices/:id', { schema: end, config: own }, async (request, reply) => {
    await factors.endDevice(request.who, request.params.id, request.client)
    return reply.code(204).send(null)
  })
}

function sentView({ settings, verifier }: Services, verification: Verification) {
  return {
    resend_at: time(verification.resendAt),
    expires_at: time(verification.expiresAt),
    ...(settings.devMode && verification.status === 'pending'
      ? { preview_code: verifier.codeOf(verification) }
      : {}),
  }
}
