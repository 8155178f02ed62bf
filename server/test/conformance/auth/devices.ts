import { describe, expect, test } from 'vitest'
import { type AuthWorld, PROOF_SECONDS } from './world.ts'

const FACTORS = '{"app":1}'
const DEVICES = '[{"id":"dev_1"}]'

/** What somebody with devices does, or is done to them. */
type Deed = (who: { id: string; phone: string; session: string }) => Promise<unknown>

/** When the devices of an account are forgotten, and when its version grows. */
export function devices(world: AuthWorld): void {
  describe('devices and versions', () => {
    const remembered = async (factors: string | null) => {
      const { user, session, phone } = await world.someone({ passwordHash: '$1' })
      const { account } = await world.alter(user.id, { secondFactors: factors, devices: DEVICES })
      return { account, who: { id: user.id, phone, session: session.id } }
    }

    /** Asserts what is left of the devices, by how much the version has grown, and that second factors stay. */
    const leaves = async (
      name: string,
      deed: Deed,
      left: { readonly devices: string; readonly grown: number; readonly factors?: string | null },
    ) => {
      const { account, who } = await remembered(left.factors === undefined ? FACTORS : left.factors)
      await deed(who)
      const { secondFactors, devices, version } = await world.account(account.id)
      expect([secondFactors, devices, version], name).toEqual([
        account.secondFactors,
        left.devices,
        account.version + left.grown,
      ])
    }
    const set = (id: string, from: string, keep: { readonly session: string | null } | 'all') =>
      world.store.setPassword(id, {
        from,
        to: '$2',
        keep,
        ...(keep === 'all' ? {} : { event: world.event('password.set') }),
      })
    const shut = (id: string) => world.store.setStatus(id, 'disabled', world.event('user.disabled'))
    const open = (id: string) => world.store.setStatus(id, 'active', world.event('user.enabled'))

    test('a sign-in, a new name and what is refused leave the devices and make no version', async () => {
      const { store } = world
      const deeds: Record<string, Deed> = {
        'entering with the number': ({ phone }) => world.enter({ phone }),
        'opening with the password': ({ id }) => world.another(id, '$1'),
        'using a session': ({ session }) => store.rotate(world.rotation(session, 0)),
        'ending a session': ({ id, session }) => store.endSession(id, session, world.event('session.ended')),
        'ending all sessions': ({ id }) => store.endSessions(id, world.event('session.ended')),
        'a new name': ({ id }) => store.updateUser(id, { name: 'B' }, world.event('user.updated')),
        'a new e-mail': ({ id }) =>
          store.updateUser(id, { email: `${id}@example.com` }, world.event('user.updated')),
        'a wrong password': ({ id }) => set(id, '$9', { session: null }),
        'opening what is open': ({ id }) => open(id),
        'another’s new password': async () => {
          const { user } = await world.someone({ passwordHash: '$1' })
          await set(user.id, '$1', { session: null })
        },
        'another who comes in': () => world.someone(),
        'a change that has come too late': ({ id }) =>
          store.changeAccount({ userId: id, version: 0, devices: '[]', events: [] }),
      }
      for (const [name, deed] of Object.entries(deeds))
        await leaves(name, deed, { devices: DEVICES, grown: 0, factors: null })
    })

    test('a new password forgets the devices; a new hash of the same keeps them', async () => {
      await leaves('none kept', ({ id }) => set(id, '$1', { session: null }), { devices: '[]', grown: 1 })
      await leaves('one kept', ({ id, session }) => set(id, '$1', { session }), { devices: '[]', grown: 1 })
      await leaves('a new hash', ({ id }) => set(id, '$1', 'all'), { devices: DEVICES, grown: 1 })
    })

    test('a number that is given, given again or put back forgets the devices', async () => {
      const { store } = world
      const give = async (id: string, phone: string, session: string) => {
        const change = await world.change(id, phone, session)
        expect(await store.changePhone(change)).toBeDefined()
        return change.undo.id
      }
      await leaves('a new one', ({ id, session }) => give(id, world.phone(), session), {
        devices: '[]',
        grown: 1,
      })
      await leaves('their own again', ({ id, phone, session }) => give(id, phone, session), {
        devices: '[]',
        grown: 1,
      })
      const putBack: Deed = async ({ id, session }) => {
        const undo = await give(id, world.phone(), session)
        await world.alter(id, { devices: DEVICES })
        expect(await store.restorePhone(undo, world.told())).toBeDefined()
      }
      await leaves('the one from before', putBack, { devices: '[]', grown: 3 })
      const notPutBack: Deed = async ({ id, phone, session }) => {
        const undo = await give(id, world.phone(), session)
        await world.enter({ phone })
        await world.alter(id, { devices: DEVICES })
        expect(await store.restorePhone(undo, world.told())).toBeUndefined()
      }
      await leaves('what is another’s by now', notPutBack, { devices: DEVICES, grown: 2 })
    })

    test('a number that is taken away takes the devices with it', async () => {
      const { clock, store } = world
      const lost: Record<string, Deed> = {
        'to a change of another’s': async ({ phone }) => {
          const { user, session } = await world.someone()
          await store.changePhone(await world.change(user.id, phone, session.id))
        },
        'to whoever starts over': ({ phone }) => world.enter({ phone, startsOver: true }),
        'to whoever has it by now': async ({ phone }) => {
          clock.advance(PROOF_SECONDS + 1)
          await world.enter({ phone })
        },
      }
      for (const [name, deed] of Object.entries(lost)) await leaves(name, deed, { devices: '[]', grown: 1 })
    })

    test('shutting an account forgets its devices, once', async () => {
      await leaves('shut', ({ id }) => shut(id), { devices: '[]', grown: 1 })
      const twice: Deed = async ({ id }) => [await shut(id), await shut(id)]
      await leaves('shut twice', twice, { devices: '[]', grown: 1 })
      const again: Deed = async ({ id }) => [await shut(id), await open(id), await open(id)]
      await leaves('shut and opened', again, { devices: '[]', grown: 2 })
    })
  })
}
