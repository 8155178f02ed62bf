import { afterEach, beforeEach, describe } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import { changes } from './auth/changes.ts'
import { devices } from './auth/devices.ts'
import { entries } from './auth/entries.ts'
import { events } from './auth/events.ts'
import { phones } from './auth/phones.ts'
import { rotations } from './auth/rotations.ts'
import { secondFactors } from './auth/second-factors.ts'
import { sessions } from './auth/sessions.ts'
import { tickets } from './auth/tickets.ts'
import { users } from './auth/users.ts'
import { type AuthFixture, AuthWorld } from './auth/world.ts'

/** What every store of users and sessions decides, races over two connections included. */
export function describeAuthStore(name: string, make: (clock: FakeClock) => Promise<AuthFixture>): void {
  describe(`auth store: ${name}`, () => {
    const world = new AuthWorld()
    beforeEach(async () => {
      const clock = new FakeClock()
      world.begin(clock, await make(clock))
    })
    afterEach(() => world.close())

    entries(world)
    sessions(world)
    rotations(world)
    users(world)
    phones(world)
    changes(world)
    secondFactors(world)
    devices(world)
    tickets(world)
    events(world)
  })
}
