import { setTimeout as sleep } from 'node:timers/promises'
import type { Proxy } from '../helpers/services.ts'
import type { Fault } from './ground.ts'
import type { Dice } from './random.ts'

/** What can happen between servers and store: to one of them, to some, or to all. */
export function faultsOnTheWay(proxies: readonly Proxy[]): Fault[] {
  const fault = (
    name: string,
    ms: readonly [number, number],
    disturb: (proxy: Proxy, dice: Dice) => Promise<void>,
  ) => ({
    name,
    run: async (dice: Dice) => {
      const some = dice.shuffle(proxies).slice(0, dice.within(1, proxies.length + 1))
      await Promise.all(some.map((proxy) => disturb(proxy, dice)))
      await sleep(dice.within(...ms))
      await Promise.all(some.map((proxy) => proxy.restore()))
    },
  })
  return [
    fault('cut', [200, 1_500], (proxy) => proxy.cut()),
    fault('slow', [500, 2_000], (proxy, dice) => proxy.slow(dice.within(20, 400))),
    fault('reset', [200, 1_000], (proxy) => proxy.reset()),
    fault('nothing passes', [500, 3_000], (proxy) => proxy.blackhole()),
    fault('answers vanish', [200, 3_000], (proxy) => proxy.blackhole('answers')),
    fault('requests vanish', [200, 3_000], (proxy) => proxy.blackhole('requests')),
  ]
}
