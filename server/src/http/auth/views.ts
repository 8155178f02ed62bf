import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import type { Challenge } from '../../auth/challenges.ts'
import type { Device } from '../../auth/devices.ts'
import { emailOf } from '../../auth/email.ts'
import { type AuthEvent, EVENT_TYPES } from '../../auth/events.ts'
import type { Grant } from '../../auth/grant.ts'
import { factorsOf, methodOf, methodsOf } from '../../auth/second-factors.ts'
import type { Session, User } from '../../auth/user.ts'
import type { Verification } from '../../verify/verification.ts'
import { NO_NUL, NullableText, NullableTime, Time, time, timeOrNull, Words } from '../schemas.ts'
import type { Services } from '../services.ts'
import { setDeviceCookie, setRefreshCookie, wantsCookie } from './cookies.ts'

export const PhoneText = Type.String({ minLength: 1, maxLength: 64, description: 'E.164' })
export const Password = Type.String({ minLength: 1, maxLength: 1_024, description: 'At most 256 characters' })
export const Email = Type.String({ minLength: 3, maxLength: 254, pattern: NO_NUL })
export const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' })
export const VerificationId = Type.String({ minLength: 1, maxLength: 100 })
export const Digits = Type.String({ pattern: '^[0-9]{4,10}$', description: 'The digits from the message' })
export const Done = Type.Object({ status: Type.Literal('ok') })

const userMembers = {
  id: Type.String(),
  email: {
    ...NullableText,
    description: 'Without one of their own: the number at example.com, never written to',
  },
  name: NullableText,
  phone: NullableText,
  phone_verified: Type.Boolean(),
  phone_verified_at: NullableTime,
  two_factor_enabled: Type.Boolean(),
  two_factor_method: Words(['none', 'sms', 'app'], 'The preferred second factor'),
  two_factor_methods: Type.Array(Words(['sms', 'app'], 'A method that is on'), {
    description: 'Every second factor that is on, `sms` first',
  }),
  backup_codes_left: Type.Integer(),
  created_at: Time,
}

export const UserView = Type.Object(userMembers, { $id: 'User' })
export const AdminUserView = Type.Object(
  { ...userMembers, status: Words(['active', 'disabled'], 'Whether they can sign in') },
  { $id: 'UserRecord', description: 'A user as the operator sees them' },
)
export const TokensView = Type.Object(
  {
    access_token: Type.String({ description: 'A JWT (RFC 9068)' }),
    token_type: Type.Literal('bearer'),
    refresh_token: Type.Optional(Type.String({ description: 'Not in cookie mode' })),
    expires_in: Type.Integer({ description: 'Seconds until the access token ends' }),
    device_token: Type.Optional(
      Type.String({ description: 'Of the device that is remembered; not in cookie mode' }),
    ),
    user: Type.Ref('User'),
  },
  { $id: 'Tokens' },
)
export const SessionView = Type.Object(
  {
    id: Type.String(),
    current: Type.Boolean(),
    amr: Type.Array(Type.String()),
    address: Type.String(),
    agent: Type.String({ description: 'The `User-Agent` it began with' }),
    created_at: Time,
    last_used_at: Time,
    signed_in_at: Time,
    expires_at: Time,
  },
  { $id: 'Session' },
)
export const EventView = Type.Object(
  {
    id: Type.String(),
    type: Words(EVENT_TYPES, 'What happened'),
    user_id: NullableText,
    session_id: NullableText,
    actor: Words(['user', 'admin', 'anonymous'], 'Who did it'),
    key: { ...NullableText, description: 'The id of the key that an administrator used' },
    address: NullableText,
    agent: NullableText,
    data: Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } }),
    at: Time,
  },
  { $id: 'AuthEvent', description: 'A line of the audit log' },
)
export const StartedCodeView = Type.Object(
  {
    status: Type.Literal('verification_required'),
    verification_id: Type.String(),
    resend_at: Time,
    expires_at: Time,
    preview_code: Type.Optional(Type.String({ description: 'In development only' })),
  },
  { $id: 'VerificationRequired' },
)

export const ChallengeView = Type.Object(
  {
    status: Type.Literal('second_factor_required'),
    challenge_token: Type.String({ description: 'Good once, for five minutes and five tries' }),
    factors: Type.Array(Words(['totp', 'sms', 'backup_code'], 'What can be shown')),
    phone_hint: { ...NullableText, description: 'Where a text would go' },
    expires_at: Time,
  },
  { $id: 'SecondFactorRequired' },
)
/** What a first factor leads to. */
export const SignedIn = Type.Union([Type.Ref('Tokens'), Type.Ref('SecondFactorRequired')])

export const BackupCodesView = Type.Object(
  {
    backup_codes: Type.Array(Type.String(), { description: 'Told this once; each opens the account once' }),
  },
  { $id: 'BackupCodes' },
)
export const DeviceView = Type.Object(
  {
    id: Type.String(),
    name: Type.String({ description: 'The `User-Agent` it was remembered with' }),
    address: Type.String({ description: 'Where it was last used from' }),
    created_at: Time,
    last_used_at: Time,
    expires_at: Time,
  },
  { $id: 'Device', description: 'A device on which its user is spared the second factor' },
)

/** Every schema of this room that OpenAPI lists under a name. */
export const AUTH_NAMED = [
  UserView,
  AdminUserView,
  TokensView,
  SessionView,
  EventView,
  StartedCodeView,
  ChallengeView,
  BackupCodesView,
  DeviceView,
]

/** A user as they see themselves. */
export function userView(user: User): Static<typeof UserView> {
  const factors = factorsOf(user)
  return {
    id: user.id,
    email: emailOf(user),
    name: user.name,
    phone: user.phone,
    phone_verified: user.phone !== null && user.phoneVerifiedAt !== null,
    phone_verified_at: user.phone === null ? null : timeOrNull(user.phoneVerifiedAt),
    two_factor_enabled: factors !== null,
    two_factor_method: methodOf(factors),
    two_factor_methods: methodsOf(factors),
    backup_codes_left: factors?.backup.hashes.length ?? 0,
    created_at: time(user.createdAt),
  }
}

/** A user as the operator sees them. */
export function adminUserView(user: User): Static<typeof AdminUserView> {
  return { ...userView(user), status: user.status }
}

export function sessionView(session: Session, currentId?: string): Static<typeof SessionView> {
  return {
    id: session.id,
    current: session.id === currentId,
    amr: [...session.amr],
    address: session.address,
    agent: session.agent,
    created_at: time(session.createdAt),
    last_used_at: time(session.usedAt),
    signed_in_at: time(session.authAt),
    expires_at: time(Math.min(session.expiresAt, session.idleUntil)),
  }
}

export function eventView({ by, ...event }: AuthEvent): Static<typeof EventView> {
  return {
    id: event.id,
    type: event.type,
    user_id: event.userId,
    session_id: event.sessionId,
    actor: by.actor,
    key: by.key ?? null,
    address: by.address,
    agent: by.agent,
    data: { ...event.data },
    at: time(event.at),
  }
}

/** A code that is on its way. */
export function startedCodeView(
  { settings, verifier }: Services,
  verification: Verification,
): Static<typeof StartedCodeView> {
  return {
    status: 'verification_required',
    verification_id: verification.id,
    resend_at: time(verification.resendAt),
    expires_at: time(verification.expiresAt),
    ...(settings.devMode && verification.status === 'pending'
      ? { preview_code: verifier.codeOf(verification) }
      : {}),
  }
}

/** What somebody gets who has shown a first factor: the tokens, or the challenge to show another one. */
export function answerSignIn(
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  signIn: Grant | Challenge,
): Static<typeof TokensView> | Static<typeof ChallengeView> {
  return signIn.kind === 'grant' ? answerGrant(services, request, reply, signIn) : challengeView(signIn)
}

export function challengeView(challenge: Challenge): Static<typeof ChallengeView> {
  return {
    status: 'second_factor_required',
    challenge_token: challenge.token,
    factors: [...challenge.factors],
    phone_hint: challenge.phoneHint,
    expires_at: time(challenge.expiresAt),
  }
}

export function deviceView(device: Device): Static<typeof DeviceView> {
  return {
    id: device.id,
    name: device.agent,
    address: device.address,
    created_at: time(device.createdAt),
    last_used_at: time(device.usedAt),
    expires_at: time(device.expiresAt),
  }
}

/**
 * The tokens of who has signed in; the refresh token, and that of a remembered device, go into cookies where a page
 * wants that.
 */
export function answerGrant(
  { clock, settings }: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  grant: Grant & { readonly deviceToken?: string | null },
): Static<typeof TokensView> {
  const deviceToken = grant.deviceToken ?? undefined
  const { accessToken, refreshToken, expiresInSeconds, user, session } = grant
  request.note = { user: user.id, session: session.id }
  const answer = {
    access_token: accessToken,
    token_type: 'bearer' as const,
    refresh_token: refreshToken,
    expires_in: expiresInSeconds,
    user: userView(user),
    ...(deviceToken === undefined ? {} : { device_token: deviceToken }),
  }
  if (!wantsCookie(request)) return answer
  const lifeSeconds = Math.max(1, Math.floor((session.expiresAt - clock.now()) / 1_000))
  setRefreshCookie(reply, refreshToken, lifeSeconds)
  if (deviceToken !== undefined) setDeviceCookie(reply, deviceToken, settings.deviceSeconds)
  const { refresh_token: _, device_token: __, ...rest } = answer
  return rest
}
