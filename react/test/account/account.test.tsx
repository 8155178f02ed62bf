import { createClient, memoryTokens, type SecondFactorRequired } from '@countersign/client'
import {
  Account,
  BackupCodes,
  ChangePassword,
  ChangePhone,
  CountersignProvider,
  Devices,
  Profile,
  ResetPassword,
  SecondFactor,
  SignedIn,
  SignedOut,
  SignIn,
  SignUp,
  TwoFactorSettings,
  UndoPhoneChange,
} from '@countersign/react'
import type { ReactElement } from 'react'
import { renderToString } from 'react-dom/server'
import { describe, expect, test } from 'vitest'
import { agentName } from '../../src/account/agent-name.ts'
import { ownEmail } from '../../src/account/use-profile.ts'
import { methodsOf } from '../../src/account/use-two-factor-settings.ts'
import { userStore } from '../../src/account/user-store.ts'
import { accountTexts } from '../../src/texts-account/source.ts'

const nothing = () => {}
const challenge: SecondFactorRequired = {
  status: 'second_factor_required',
  challenge_token: 'cht_1',
  factors: ['sms', 'backup_code'],
  phone_hint: '•••• 71',
  expires_at: '2099-01-01T00:00:00.000Z',
}

describe('account components on a server', () => {
  const parts: readonly (readonly [string, ReactElement, string])[] = [
    ['SignIn', <SignIn />, 'Sign in'],
    ['SignIn by password', <SignIn method="password" />, 'current-password'],
    ['SignUp', <SignUp />, 'new-password'],
    ['SecondFactor', <SecondFactor challenge={challenge} onPassed={nothing} onBack={nothing} />, '•••• 71'],
    ['ResetPassword', <ResetPassword />, 'Reset your password'],
    ['UndoPhoneChange', <UndoPhoneChange />, 'Old phone number'],
    ['TwoFactorSettings', <TwoFactorSettings />, 'Two-step sign-in'],
    ['BackupCodes', <BackupCodes codes={['aaaaa-bbbbb']} onSaved={nothing} />, 'aaaaa-bbbbb'],
    ['Devices', <Devices />, 'Devices'],
    ['ChangePhone', <ChangePhone />, 'Phone number'],
    ['ChangePassword', <ChangePassword />, 'Current password'],
    ['Profile', <Profile />, 'Profile'],
    ['SignedIn until it is known', <SignedIn fallback="not yet">in</SignedIn>, 'not yet'],
  ]
  test.each(parts)('%s renders, and without inline styles or scripts', (_, element, expected) => {
    const html = rendered(element)
    expect(html).toContain(expected)
    expect(html).not.toMatch(/\sstyle=|<script/)
  })

  test('texts of an app’s own take the place of ours', () => {
    const client = createClient({ baseUrl: 'http://localhost' })
    const html = renderToString(
      <CountersignProvider client={client} texts={{ sign_in: 'Log in' }}>
        <SignIn />
      </CountersignProvider>,
    )
    expect(html).toContain('>Log in</h2>')
  })

  test('nothing of an account is rendered before it is known who is signed in', () => {
    expect(rendered(<Account />)).toBe('')
    expect(rendered(<SignedOut>out</SignedOut>)).toBe('')
  })
})

test('every language has each text with what is filled in, and none is left in English', async () => {
  const { english, languages } = accountTexts
  expect(languages).toEqual(['en', 'es', 'fr', 'de', 'pt', 'it', 'ar', 'he', 'hi', 'zh', 'ja', 'am'])
  for (const language of languages.slice(1)) {
    void accountTexts.load(language)
    await expect.poll(() => accountTexts.peek(language) !== undefined).toBe(true)
    const texts = accountTexts.peek(language) ?? {}
    const same: string[] = []
    for (const [key, text] of Object.entries(english)) {
      const own = texts[key] ?? texts[key.replace('_one', '_other')] ?? ''
      if (!key.endsWith('_one')) expect(placeholders(own), `${language} ${key}`).toEqual(placeholders(text))
      if (own === text) same.push(key)
    }
    // Words that are the same in both languages.
    expect(same.length, `${language}: ${same.join(' ')}`).toBeLessThan(8)
  }
})

test('a device is called by browser and system, as far as they can be told', () => {
  const chrome = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0'
  const told = (agent: string) => Object.values(agentName(agent)).join(' on ')
  expect(told(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/141.0`)).toBe(
    'Edge on Windows',
  )
  expect(told(`Mozilla/5.0 (Linux; Android 16; Pixel 9) ${chrome} Mobile Safari/537.36`)).toBe(
    'Chrome on Android',
  )
  expect(
    told('Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1'),
  ).toBe('Safari on iPhone')
  expect(told('Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0')).toBe(
    'Firefox on Linux',
  )
  expect(agentName('curl/8')).toEqual({ browser: undefined, system: undefined })
})

test('an e-mail that is made of the number is nobody’s own; an older server names one second factor', () => {
  expect(ownEmail({ ...user, email: '+14155552671@example.com' })).toBeUndefined()
  expect(ownEmail({ ...user, email: 'ada@example.com' })).toBe('ada@example.com')
  expect(methodsOf({ two_factor_method: 'app' })).toEqual(['app'])
  expect(methodsOf({ two_factor_method: 'app', two_factor_methods: ['sms', 'app'] })).toEqual(['sms', 'app'])
  expect(methodsOf({ two_factor_method: 'none' })).toEqual([])
})

describe('who is signed in', () => {
  test('stays signed in while the network is away, and is signed out at once by a sign-out', async () => {
    const { client, answers } = scripted()
    const store = userStore(client)
    answers.push(json(200, user))
    store.subscribe(nothing)
    await expect.poll(() => store.get().user?.id).toBe('usr_1')
    answers.push(new TypeError('no network'))
    await store.load()
    expect(store.get().status).toBe('signed_in')
    answers.push(json(204))
    await client.auth.logout()
    expect(store.get()).toEqual({ status: 'signed_out', user: undefined, error: undefined })
  })

  test('who cannot be asked for is neither signed in nor out, and can be asked for again', async () => {
    const { client, answers } = scripted()
    const store = userStore(client)
    answers.push(new TypeError('no network'))
    store.subscribe(nothing)
    await expect.poll(() => store.get().status).toBe('failed')
    expect(store.get().error?.code).toBe('network')
    answers.push(json(200, user))
    await store.load()
    expect(store.get().user?.id).toBe('usr_1')
  })

  test('an answer that comes after a sign-out is dropped', async () => {
    const { client, answers } = scripted()
    const store = userStore(client)
    let answer: (response: Response) => void = nothing
    answers.push(new Promise<Response>((resolve) => (answer = resolve)), json(204))
    store.subscribe(nothing)
    await expect.poll(() => answers.length).toBe(1)
    await client.auth.logout()
    answer(json(200, user))
    await new Promise((resolve) => setTimeout(resolve))
    expect(store.get().status).toBe('signed_out')
  })
})

const user = {
  id: 'usr_1',
  email: null,
  name: null,
  phone: '+14155552671',
  phone_verified: true,
  phone_verified_at: null,
  two_factor_enabled: false,
  two_factor_method: 'none' as const,
  two_factor_methods: [],
  backup_codes_left: 0,
  created_at: '2026-01-01T00:00:00.000Z',
}

function rendered(element: ReactElement): string {
  const client = createClient({ baseUrl: 'http://localhost' })
  return renderToString(<CountersignProvider client={client}>{element}</CountersignProvider>)
}

function placeholders(text: string): string[] {
  return (text.match(/\{\w+\}/g) ?? []).sort()
}

/** A client of somebody signed in, whose calls are answered from a list. */
function scripted() {
  const answers: (Response | Promise<Response> | Error)[] = []
  const tokens = memoryTokens()
  tokens.set({ accessToken: 'at', expiresAt: Date.now() + 900_000, refreshToken: 'rt' })
  const client = createClient({
    baseUrl: 'http://localhost',
    tokens,
    fetch: async () => {
      const next = answers.shift()
      if (next === undefined) throw new Error('nothing to answer')
      if (next instanceof Error) throw next
      return next
    },
  })
  return { client, answers }
}

function json(status: number, body?: object): Response {
  return new Response(body === undefined ? null : JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json' },
  })
}
