import { createServer } from 'node:http'
import { cookieTokens, memoryTokens, type Saved, storageTokens } from '@countersign/client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { portOf } from '../../server/test/conformance/provider-faults.ts'
import { serve, signIn } from './helpers/served.ts'

const served = serve()
const REFRESH = 'POST /api/auth/refresh'
/** The access tokens of the tests end so soon, by the server's clock. */
const LIFE_SECONDS = 15 * 60

/** A `Storage` in memory, as two tabs share one. */
function makeStorage(): Storage {
  const items = new Map<string, string>()
  return {
    get length() {
      return items.size
    },
    clear: () => items.clear(),
    getItem: (key) => items.get(key) ?? null,
    key: (n) => [...items.keys()][n] ?? null,
    removeItem: (key) => void items.delete(key),
    setItem: (key, value) => void items.set(key, value),
  }
}

/** How many refreshes the server answers while some work is done. */
async function refreshesOf(work: () => Promise<unknown>): Promise<number> {
  const before = served.countOf(REFRESH)
  await work()
  return served.countOf(REFRESH) - before
}

const times = <T>(n: number, work: () => T): T[] => Array.from({ length: n }, work)

describe('one refresh', () => {
  test('for 100 calls that the server refuses because the access token ended', async () => {
    const client = served.client()
    const { user } = await signIn(client, served.newPhone())
    served.server.clock.advance(LIFE_SECONDS + 1)
    const refreshes = await refreshesOf(async () => {
      const users = await Promise.all(times(100, () => client.auth.me()))
      expect(new Set(users.map(({ id }) => id))).toEqual(new Set([user.id]))
    })
    expect(refreshes).toBe(1)
  })

  test('for 100 calls that know that it ended, and for those that ask for a refresh', async () => {
    const tokens = memoryTokens()
    const client = served.client({ tokens })
    await signIn(client, served.newPhone())
    tokens.set({ ...tokens.get(), expiresAt: Date.now() + 5_000 })
    expect(await refreshesOf(() => Promise.all(times(100, () => client.auth.me())))).toBe(1)
    expect(await refreshesOf(() => Promise.all(times(100, () => client.auth.refresh())))).toBe(1)
    const fresh = tokens.get()?.accessToken
    expect(await refreshesOf(() => Promise.all(times(100, () => client.auth.accessToken())))).toBe(0)
    expect(await client.auth.accessToken()).toBe(fresh)
  })

  test('for ten tabs that share a storage: the first refreshes, the others take what it got', async () => {
    const storage = makeStorage()
    const tabs = times(10, () => served.client({ tokens: storageTokens(storage) }))
    const [first] = tabs
    if (!first) throw new Error('There is no tab')
    await signIn(first, served.newPhone())
    served.server.clock.advance(LIFE_SECONDS + 1)
    expect(await refreshesOf(() => Promise.all(tabs.map(({ auth }) => auth.me())))).toBe(1)
    expect(new Set(await Promise.all(tabs.map(({ auth }) => auth.accessToken()))).size).toBe(1)
    // Asked for by name, each tab does its own, one after the other.
    expect(await refreshesOf(() => Promise.all(tabs.slice(0, 3).map(({ auth }) => auth.refresh())))).toBe(3)
    expect(first.auth.isSignedIn).toBe(true)
  })

  test('a caller who gives up does not end it for the others', async () => {
    const client = served.client()
    await signIn(client, served.newPhone())
    served.server.clock.advance(LIFE_SECONDS + 1)
    const control = new AbortController()
    const [impatient, patient] = [client.auth.me({ signal: control.signal }), client.auth.me()]
    control.abort()
    await expect(impatient).rejects.toMatchObject({ code: 'aborted', status: 0 })
    expect((await patient).id).toMatch(/^usr_/)
  })

  test('a refusal that is none of the access token asks for no refresh', async () => {
    const client = served.client()
    await signIn(client, served.newPhone())
    const refreshes = await refreshesOf(() =>
      expect(
        client.auth.changePassword({ current_password: 'none of it', password: 'amber lattice 27' }),
      ).rejects.toMatchObject({ code: expect.not.stringMatching(/^(?:unauthorized|signed_out)$/) }),
    )
    expect(refreshes).toBe(0)
  })
})

describe('sign-out', () => {
  test('a session that ended on the server ends here: tokens are forgotten, and listeners told once', async () => {
    const tokens = memoryTokens()
    const client = served.client({ tokens })
    const told: boolean[] = []
    const stop = client.auth.onChange(({ signedIn }) => told.push(signedIn))
    await signIn(client, served.newPhone())
    tokens.set({ ...tokens.get(), deviceToken: 'of-this-device' })
    await endSessionOf(tokens.get())
    const failures = await Promise.allSettled(times(5, () => client.auth.me()))
    for (const failure of failures)
      expect(failure).toMatchObject({ reason: { code: 'signed_out', status: 401 } })
    expect([told, client.auth.isSignedIn, tokens.get()]).toEqual([
      [true, false],
      false,
      { deviceToken: 'of-this-device' },
    ])
    await expect(client.auth.me()).rejects.toMatchObject({ code: 'signed_out', status: 0 })
    expect(await client.auth.restore()).toBeUndefined()
    stop()
    await signIn(client, served.newPhone())
    expect(told).toEqual([true, false])
  })

  test.each([
    ['an answer that is no answer', 502, 'unexpected'],
    ['a server that is busy', 503, 'unexpected'],
    ['an answer that does not come', 0, 'timeout'],
    ['a connection that breaks', -1, 'network'],
  ] as const)('nobody is signed out by %s to a refresh', async (_, status, code) => {
    const tokens = memoryTokens()
    await signIn(served.client({ tokens }), served.newPhone())
    const saved = tokens.get()
    const server = createServer((request, response) => {
      if (status < 0) request.socket.destroy()
      if (status > 0) response.writeHead(status).end('<h1>Bad gateway</h1>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => server.close().closeAllConnections())
    const told: boolean[] = []
    const client = served.client({
      tokens,
      timeoutMs: 150,
      baseUrl: `http://127.0.0.1:${portOf(server)}`,
    })
    client.auth.onChange(({ signedIn }) => told.push(signedIn))
    await expect(client.auth.refresh()).rejects.toMatchObject({ code })
    expect([told, client.auth.isSignedIn, tokens.get()]).toEqual([[], true, saved])
    expect((await served.client({ tokens }).auth.me()).id).toMatch(/^usr_/)
  })

  test('logging out forgets the tokens though the call fails, and ends the session where it does not', async () => {
    const tokens = memoryTokens()
    const client = served.client({ tokens })
    await signIn(client, served.newPhone())
    const saved = tokens.get()
    const broken = served.client({ tokens, fetch: () => Promise.reject(new TypeError('no network')) })
    await expect(broken.auth.logout()).rejects.toMatchObject({ code: 'network' })
    expect([tokens.get(), client.auth.isSignedIn]).toEqual([undefined, false])
    tokens.set(saved)
    await client.auth.logout()
    expect(tokens.get()).toBeUndefined()
    tokens.set(saved)
    await expect(client.auth.me()).rejects.toMatchObject({ code: 'signed_out' })
    // Nobody is signed in, which is what was wanted.
    await client.auth.logout()
    tokens.set(saved)
    await client.auth.logout()
  })

  test('a refresh that was under way does not sign in again who signed out', async () => {
    const tokens = memoryTokens()
    const gate = Promise.withResolvers<void>()
    const client = served.client({ tokens, fetch: holdingRefreshes(gate.promise) })
    await signIn(client, served.newPhone())
    const refresh = client.auth.refresh()
    const outcome = expect(refresh).rejects.toMatchObject({ code: 'signed_out' })
    await client.auth.logout()
    gate.resolve()
    await outcome
    expect(tokens.get()).toBeUndefined()
  })

  test('nor does one that is refused sign out who signed in meanwhile', async () => {
    const tokens = memoryTokens()
    const gate = Promise.withResolvers<void>()
    const client = served.client({ tokens, fetch: holdingRefreshes(gate.promise) })
    tokens.set({ refreshToken: 'rt_of_nobody' })
    const outcome = expect(client.auth.refresh()).rejects.toMatchObject({ code: 'signed_out' })
    const { user } = await signIn(client, served.newPhone())
    gate.resolve()
    await outcome
    expect((await client.auth.me()).id).toBe(user.id)
  })
})

describe('where tokens are kept', () => {
  test('in a storage they outlive the page; what is no tokens there counts for nothing', async () => {
    const storage = makeStorage()
    const { user } = await signIn(
      served.client({ tokens: storageTokens(storage, 'mine') }),
      served.newPhone(),
    )
    const reloaded = served.client({ tokens: storageTokens(storage, 'mine') })
    expect(reloaded.auth.isSignedIn).toBe(true)
    expect((await reloaded.auth.restore())?.id).toBe(user.id)
    for (const garbage of ['', 'null', '7', '"text"', '{broken']) {
      storage.setItem('mine', garbage)
      expect([reloaded.auth.isSignedIn, await reloaded.auth.restore()]).toEqual([false, undefined])
    }
  })

  test('where there is no storage, or it refuses, they are in memory', async () => {
    const refusing = makeStorage()
    refusing.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
    const locked = makeStorage()
    locked.getItem = () => {
      throw new DOMException('denied', 'SecurityError')
    }
    for (const store of [storageTokens(undefined), storageTokens(refusing), storageTokens(locked)]) {
      const saved: Saved = { accessToken: 'a' }
      store.set(saved)
      expect(store.get()).toEqual(saved)
      store.set(undefined)
      expect(store.get()).toBeUndefined()
    }
  })

  test('with cookies a sign-out in one tab is one in the other, and so is a sign-in', async () => {
    const [here, there] = [cookieTokens(), cookieTokens()]
    const heard = () => new Promise<void>((resolve) => stops.push(there.onChange?.(resolve) ?? resolve))
    const stops: (() => void)[] = []
    for (const saved of [{ accessToken: 'a' }, undefined]) {
      const change = heard()
      here.set(saved)
      await change
      // An access token of its own is asked for when one is needed.
      expect(there.get()).toEqual(saved && {})
      for (const stop of stops.splice(0)) stop()
    }
  })
})

/** Keeps the answers to refreshes back until something has happened. */
function holdingRefreshes(until: Promise<void>): typeof fetch {
  return async (input, init) => {
    const answer = await fetch(input, init)
    if (answer.url.endsWith('/refresh')) await until
    return answer
  }
}

/** Ends a session as another device would. */
async function endSessionOf(saved: Saved | undefined): Promise<void> {
  const tokens = memoryTokens()
  tokens.set(saved)
  await served.client({ tokens }).auth.logout()
}
