import {
  type Client,
  CountersignError,
  createClient,
  type ErrorCode,
  isCountersignError,
  memoryTokens,
  type SignedIn,
} from '@countersign/client'

/**
 * Wrong uses, each of which must fail to compile: a directive without an error is an error itself. Nothing here runs.
 * `types.test.ts` takes the directives away and counts what the compiler says then.
 */
export async function wrongUses(client: Client): Promise<void> {
  const { auth, verifications, phones } = client

  // @ts-expect-error a client needs to know where the server is
  createClient({ publishableKey: 'pk_1' })
  // @ts-expect-error a key has a name of its own
  createClient({ baseUrl: '', apiKey: 'pk_1' })
  // @ts-expect-error tokens are kept by a store, which is made
  createClient({ baseUrl: '', tokens: memoryTokens })
  // @ts-expect-error a time-out is in milliseconds
  createClient({ baseUrl: '', timeoutMs: '15s' })

  // @ts-expect-error a number is needed
  await verifications.start({ country: 'DE' })
  // @ts-expect-error there is no such channel
  await verifications.start({ to: '+14155552671', channel: 'pigeon' })
  // @ts-expect-error nobody but the server chooses a code
  await verifications.start({ to: '+14155552671', code: '123456' })
  // @ts-expect-error an address is for secret keys
  await verifications.start({ to: '+14155552671', ip: '203.0.113.7' })
  // @ts-expect-error metadata are texts
  await verifications.start({ to: '+14155552671', metadata: { order: 7 } })
  // @ts-expect-error a code is a text: 012345 is no number
  await verifications.check('ver_1', 123456)
  // @ts-expect-error an id is needed
  await verifications.get()
  // @ts-expect-error options are the third
  await phones.lookup('020 7946 0018', { signal: AbortSignal.abort() })

  const checked = await verifications.check('ver_1', '123456')
  // @ts-expect-error there is no such reason
  if (checked.reason === 'wrong') return
  // @ts-expect-error a proof may be missing
  const { length } = checked.proof

  const result = await auth.login({ identifier: 'ada@example.org', password: 'correct horse battery' })
  // @ts-expect-error a second factor may be asked for
  const { user } = result
  // @ts-expect-error which of them it is must be known first
  const { challenge_token } = result
  if (result.status === 'second_factor_required') {
    // @ts-expect-error there are no tokens yet
    const { access_token } = result
    void access_token
    // @ts-expect-error there is no such factor
    await auth.secondFactor.verify({ challenge_token: '', factor: 'email', code: '' })
  } else {
    const signedIn: SignedIn = result
    // @ts-expect-error the wire has snake case
    const { accessToken } = signedIn
    void accessToken
  }
  // @ts-expect-error the e-mail or number is called identifier
  await auth.login({ email: 'ada@example.org', password: 'correct horse battery' })
  // @ts-expect-error the device token is the client's own affair
  await auth.login({ identifier: '', password: '', device_token: 'dvt_1' })
  // @ts-expect-error only name and e-mail are changed like this
  await auth.updateMe({ phone: '+14155552671' })
  // @ts-expect-error a call without tokens has no user
  const nobody: string = (await auth.restore()).id
  // @ts-expect-error the token may be missing
  const token: string = await auth.accessToken()
  // @ts-expect-error a listener is told of the state
  auth.onChange((signedIn: boolean) => signedIn)
  // @ts-expect-error the client decides it
  auth.isSignedIn = true
  // @ts-expect-error the method is named
  await auth.secondFactor.enable('email')

  // @ts-expect-error there is no such code
  const code: ErrorCode = 'not_a_code'
  // @ts-expect-error neither is this
  const wrong = new CountersignError('wrong_code')
  try {
    await auth.me()
  } catch (error) {
    // @ts-expect-error anything can be thrown
    const { code } = error
    void code
    // @ts-expect-error that code is misspelt
    if (isCountersignError(error) && error.code === 'rate_limit') return
  }
  void [length, user, challenge_token, nobody, token, code, wrong]
}

/** Right uses, which compile. */
export async function rightUses(client: Client): Promise<string | undefined> {
  const { signal } = new AbortController()
  const maybe: string | undefined = undefined
  await client.verifications.start({ to: '+14155552671', country: maybe }, { signal, timeoutMs: 1_000 })
  const result = await client.auth.verifyOtp('+14155552671', '123456')
  if (result.status === 'second_factor_required') return result.factors[0]
  try {
    await client.auth.updateMe({ name: null })
  } catch (error) {
    if (isCountersignError(error) && error.code === 'rate_limited') return String(error.retryAfter)
  }
  return result.user.name ?? result.access_token
}
