import { isCountersignError } from './errors.ts'
import type { CallOptions, ClientOptions } from './options.ts'
import type { SessionState } from './held-tokens.ts'
import type { Session as Holder } from './session.ts'
import { makeSecondFactor, type SecondFactor } from './second-factor.ts'
import type {
  Calls,
  Device,
  SecondFactorRequired,
  Session,
  Tokens,
  User,
  VerificationRequired,
} from './wire.ts'
import type { SignInResult, SignedIn } from './words.ts'

/** Sign people in, and what they do with their account: `/api/auth`. */
export type Auth = {
  /** Sends a code to sign in with, to a number with an account or without. */
  requestOtp(phone: string, options?: CallOptions): Promise<Calls['POST /api/auth/otp/request']['answer']>
  /** Signs in with the code; a new number gets an account. */
  verifyOtp(phone: string, otp: string, options?: CallOptions): Promise<SignInResult>
  /** Begins an account with a password. It is made when the number is proven. */
  register(
    input: {
      phone: string
      password: string
      email?: string | undefined
      name?: string | undefined
      locale?: string | undefined
    },
    options?: CallOptions,
  ): Promise<VerificationRequired>
  /** Sends the code of a registration again. */
  resendRegistration(verificationId: string, options?: CallOptions): Promise<VerificationRequired>
  /** Proves the number of a registration, and signs in. */
  verifyRegistration(verificationId: string, code: string, options?: CallOptions): Promise<SignInResult>
  /** Signs in with a password. A device that is remembered is spared the second factor. */
  login(input: { identifier: string; password: string }, options?: CallOptions): Promise<SignInResult>
  /** Changes the tokens for new ones: one call, for however many wait for it, and in one tab at a time. */
  refresh(options?: CallOptions): Promise<SignedIn>
  /** Signs out here. The tokens are forgotten though the call fails. */
  logout(options?: CallOptions): Promise<void>
  /** Signs out everywhere. Where the call fails, nothing has changed. */
  logoutAll(options?: CallOptions): Promise<void>
  /** Who is signed in. */
  me(options?: CallOptions): Promise<User>
  /** Changes name or e-mail; `null` takes it away. */
  updateMe(
    input: { name?: string | null | undefined; email?: string | null | undefined },
    options?: CallOptions,
  ): Promise<User>
  readonly sessions: {
    list(options?: CallOptions): Promise<Session[]>
    end(id: string, options?: CallOptions): Promise<void>
  }
  /** The devices that are spared the second factor. */
  readonly devices: {
    list(options?: CallOptions): Promise<Device[]>
    forget(id: string, options?: CallOptions): Promise<void>
  }
  /** Ends every other session. */
  changePassword(input: { current_password: string; password: string }, options?: CallOptions): Promise<void>
  /** Sends a code to reset the password with; the same answer for numbers with an account and without. */
  requestPasswordReset(
    phone: string,
    options?: CallOptions,
  ): Promise<Calls['POST /api/auth/password/reset/request']['answer']>
  /** Changes that code into a token that sets a password. */
  verifyPasswordReset(phone: string, code: string, options?: CallOptions): Promise<{ reset_token: string }>
  /** Sets the password. Ends every session, and opens none. */
  resetPassword(input: { reset_token: string; password: string }, options?: CallOptions): Promise<void>
  /** Sends a code to a new number of who is signed in. */
  changePhone(phone: string, options?: CallOptions): Promise<VerificationRequired>
  /** Proves the new number. */
  verifyPhoneChange(verificationId: string, code: string, options?: CallOptions): Promise<User>
  /** Sends a code to the number that the account had before. */
  requestPhoneUndo(phone: string, options?: CallOptions): Promise<{ status: 'ok' }>
  /** Gives the account its number back, and ends every session. */
  undoPhoneChange(phone: string, code: string, options?: CallOptions): Promise<void>
  readonly secondFactor: SecondFactor
  /** Who is signed in by what is kept, at the start of a page; undefined where nobody is. */
  restore(options?: CallOptions): Promise<User | undefined>
  /** Whether tokens are kept. With cookies not before `restore` has asked. */
  readonly isSignedIn: boolean
  /** The access token, for calls to a backend of your own; changed when it is about to end. */
  accessToken(options?: CallOptions): Promise<string | undefined>
  /** Calls back at each sign-in and sign-out, those of other tabs and of the server included. Gives a function that stops it. */
  onChange(listener: (state: SessionState) => void): () => void
}

/** Makes the part of a client that signs people in. */
export function makeAuth(session: Holder, { tokens, locale }: ClientOptions): Auth {
  const { call, callAsUser } = session
  const entered = (answer: Tokens | SecondFactorRequired): SignInResult =>
    'status' in answer ? answer : session.adopt(answer)
  return {
    requestOtp: (phone, options) => call('POST /api/auth/otp/request', { body: { phone } }, options),
    verifyOtp: async (phone, otp, options) =>
      entered(await call('POST /api/auth/verify-otp', { body: { phone, otp } }, options)),
    register: (input, options) =>
      call('POST /api/auth/register', { body: { ...input, locale: input.locale ?? locale } }, options),
    resendRegistration: (id, options) =>
      call('POST /api/auth/register/resend', { body: { verification_id: id } }, options),
    verifyRegistration: async (id, code, options) =>
      entered(await call('POST /api/auth/register/verify', { body: { verification_id: id, code } }, options)),
    login: async (input, options) =>
      entered(
        await call(
          'POST /api/auth/login',
          { body: { ...input, device_token: session.get()?.deviceToken } },
          options,
        ),
      ),
    refresh: session.refresh,
    logout: session.signOut,
    logoutAll: async (options) => {
      await callAsUser('POST /api/auth/logout-all', {}, options)
      session.forget()
    },
    me: (options) => callAsUser('GET /api/auth/me', {}, options),
    updateMe: (body, options) => callAsUser('PATCH /api/auth/me', { body }, options),
    sessions: {
      list: async (options) => (await callAsUser('GET /api/auth/sessions', {}, options)).data,
      end: (id, options) => callAsUser('DELETE /api/auth/sessions/{id}', { id }, options),
    },
    devices: {
      list: async (options) => (await callAsUser('GET /api/auth/devices', {}, options)).data,
      forget: (id, options) => callAsUser('DELETE /api/auth/devices/{id}', { id }, options),
    },
    changePassword: async (body, options) => {
      await callAsUser('POST /api/auth/password/change', { body }, options)
    },
    requestPasswordReset: (phone, options) =>
      call('POST /api/auth/password/reset/request', { body: { phone, locale } }, options),
    verifyPasswordReset: (phone, code, options) =>
      call('POST /api/auth/password/reset/verify', { body: { phone, code } }, options),
    resetPassword: async (body, options) => {
      await call('POST /api/auth/password/reset', { body }, options)
    },
    changePhone: (phone, options) => callAsUser('POST /api/auth/phone', { body: { phone, locale } }, options),
    verifyPhoneChange: (id, code, options) =>
      callAsUser('POST /api/auth/phone/verify', { body: { verification_id: id, code } }, options),
    requestPhoneUndo: (phone, options) =>
      call('POST /api/auth/phone/undo/request', { body: { phone, locale } }, options),
    undoPhoneChange: async (phone, code, options) => {
      await call('POST /api/auth/phone/undo', { body: { phone, code } }, options)
    },
    secondFactor: makeSecondFactor(session, locale),
    restore: (options) => restore(session, tokens?.mode === 'cookie', options),
    get isSignedIn() {
      return session.isSignedIn()
    },
    accessToken: session.accessToken,
    onChange: session.onChange,
  }
}

async function restore(
  { isSignedIn, refresh, callAsUser }: Holder,
  inCookie: boolean,
  options: CallOptions | undefined,
): Promise<User | undefined> {
  try {
    // With cookies the refresh is the question, and its answer has the user.
    if (inCookie && !isSignedIn()) return (await refresh(options)).user
    return isSignedIn() ? await callAsUser('GET /api/auth/me', {}, options) : undefined
  } catch (error) {
    if (isCountersignError(error) && error.code === 'signed_out') return undefined
    throw error
  }
}
