import { pino } from 'pino'
import { afterAll, beforeAll } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { openStorage, type Storage } from '../../src/storage.ts'
import type { Backend, Data } from './backends.ts'
import { type ProcessOptions, ServerProcess } from './process.ts'

/**
 * How far each server's own clock is from this machine's, where the store's decides: nothing may depend on them, so
 * every test over a shared store is one of that too (F22).
 */
const CLOCKS_APART = [0, 300, -300]

/** Three server processes on one backend, and the time that passes for all of them. */
export class Fleet {
  readonly data: Data
  #servers: ServerProcess[]
  #passedSeconds = 0

  private constructor(data: Data, servers: ServerProcess[]) {
    this.data = data
    this.#servers = servers
  }

  /** Boots three servers on new data of this backend. */
  static async start(backend: Backend, options: ProcessOptions = {}): Promise<Fleet> {
    const data = await backend.fresh()
    const settings = { ...data.settings, ...options.settings }
    const clocks = data.age === undefined ? [0, 0, 0] : CLOCKS_APART
    const boot = clocks.map((clockSeconds) => ServerProcess.start({ ...options, settings, clockSeconds }))
    return new Fleet(data, await Promise.all(boot))
  }

  /** One for the tests of the `describe` around it: booted before them, and ended with its data after them. */
  static forTests(backend: Backend, options: ProcessOptions = {}): () => Fleet {
    let fleet: Fleet | undefined
    beforeAll(async () => {
      fleet = await Fleet.start(backend, options)
    })
    afterAll(() => fleet?.end())
    return () => {
      if (!fleet) throw new Error('the fleet did not start')
      return fleet
    }
  }

  /** Those that run. */
  get servers(): readonly ServerProcess[] {
    return this.#servers
  }

  /** The n-th server, counted round and round. */
  server(n: number): ServerProcess {
    const found = this.#servers[n % this.#servers.length]
    if (!found) throw new Error('no server')
    return found
  }

  /** What time it is for the servers, or would be had the time that passed not been left out. */
  now(): number {
    return Date.now() + this.#passedSeconds * 1000
  }

  /** Lets time pass. Every time that is kept is so much older afterwards, or every clock so much later. */
  async pass(seconds: number): Promise<void> {
    this.#passedSeconds += seconds
    if (this.data.age) return this.data.age(seconds)
    await Promise.all(this.#servers.map((one) => one.setClock(this.#passedSeconds)))
  }

  /** How many messages a number was sent, by all servers together. */
  async sentTo(phone: string): Promise<number> {
    const inboxes = await Promise.all(this.#servers.map((one) => one.inbox(phone)))
    return inboxes.flat().length
  }

  /** Puts these servers in the place of the ones that ran: each boots again with the clock it had. */
  async reboot(servers: readonly ServerProcess[]): Promise<void> {
    const clock = this.data.age ? {} : { clockSeconds: this.#passedSeconds }
    this.#servers = await Promise.all(servers.map((one) => one.again(clock)))
  }

  /** Opens the same data as the servers do, for what would take too long over HTTP, and closes them afterwards. */
  async withStorage<T>(work: (storage: Storage) => Promise<T>): Promise<T> {
    const config = readConfig({ NODE_ENV: 'test', ...this.data.settings })
    const storage = await openStorage(config, { log: pino({ enabled: false }) })
    try {
      return await work(storage)
    } finally {
      await storage.close()
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#servers.map((one) => one.kill()))
    await this.data.drop()
  }
}
