import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Keys, type KeyStore } from '../../src/keys/keys.ts'
import { FakeClock } from '../fake-clock.ts'

/** A fresh, empty store on this clock. */
export type KeysFixture = {
  keys: KeyStore
  /** The same data over a connection of its own, as another process has it. */
  other: KeyStore
  close(): Promise<void>
}

/** Longer than a key that was looked up is believed, in seconds. */
const BELIEVED_SECONDS = 3

/** What every store promises of keys and of accounts' credentials. */
export function describeKeyStore(name: string, make: (clock: FakeClock) => Promise<KeysFixture>): void {
  describe(`keys: ${name}`, () => {
    let clock: FakeClock
    let fixture: KeysFixture
    let keys: Keys
    let elsewhere: Keys
    beforeEach(async () => {
      clock = new FakeClock()
      fixture = await make(clock)
      keys = new Keys(fixture.keys, clock)
      elsewhere = new Keys(fixture.other, clock)
    })
    afterEach(() => fixture.close())

    test('each kind is found by what opens it, as it was made, by another process too', async () => {
      const secret = await keys.create('secret')
      const publishable = await keys.create('publishable', {
        service: 'shop',
        origins: ['https://a.example', 'http://localhost:3000'],
      })
      const account = await keys.createCredentials()
      const apiKey = await keys.createCredentials(account.user)
      for (const one of [keys, elsewhere]) {
        expect(await one.find(secret.token)).toEqual(secret.key)
        expect(await one.find(publishable.token)).toEqual(publishable.key)
        expect(await one.findCredentials(account.user, account.password)).toEqual(account.key)
        expect(await one.findCredentials(apiKey.user, apiKey.password)).toEqual(apiKey.key)
        expect(await one.findCredentials(account.user, apiKey.password)).toBeUndefined()
        expect(await one.findCredentials(apiKey.user, account.password)).toBeUndefined()
      }
      expect([secret, publishable, account, apiKey].map(({ key }) => key.kind)).toEqual([
        'secret',
        'publishable',
        'account',
        'api_key',
      ])
      expect([account, apiKey].map(({ key }) => key.service)).toEqual([account.user, account.user])
      const listed = (await elsewhere.list()).map(({ id }) => id)
      expect(listed.toSorted()).toEqual(
        [secret, publishable, account, apiKey].map(({ key }) => key.id).toSorted(),
      )
      expect(await keys.namesService('shop')).toBe(true)
      // An account is no service of its own.
      expect(await keys.namesService(account.user)).toBe(false)
      expect(await keys.namesOrigin('https://a.example')).toBe(true)
    })

    test('one that is revoked opens nothing any more, once, here at once and elsewhere soon', async () => {
      const account = await keys.createCredentials()
      const apiKey = await keys.createCredentials(account.user)
      const { token, key } = await keys.create('secret')
      const opened = () =>
        Promise.all([
          elsewhere.find(token),
          elsewhere.findCredentials(apiKey.user, apiKey.password),
          elsewhere.findCredentials(account.user, account.password),
        ])
      expect(await opened()).not.toContain(undefined)
      expect(await keys.revoke(key.id)).toBe(true)
      expect(await keys.revoke(apiKey.key.id)).toBe(true)
      expect(await keys.find(token)).toBeUndefined()
      expect(await keys.findCredentials(apiKey.user, apiKey.password)).toBeUndefined()
      clock.advance(BELIEVED_SECONDS)
      expect(await opened()).toEqual([undefined, undefined, account.key])
      expect(await elsewhere.revoke(key.id)).toBe(false)
      expect(await elsewhere.revoke('key_nobody')).toBe(false)
    })

    test('nothing that opens is in the store', async () => {
      const { password, user } = await keys.createCredentials()
      const { token } = await keys.create('secret')
      const kept = JSON.stringify(await fixture.keys.list())
      expect(kept).toContain(user)
      expect(kept).not.toContain(password)
      expect(kept).not.toContain(token)
    })
  })
}
