import type { RedisAddress } from './address.ts'
import { isCluster, makeClient, type RedisClient, type Script } from './client.ts'
import { reasonOf, within } from './errors.ts'

const CLOSE_MS = 250

/** Calls scripts in Redis. Every call ends in time, and every error is free of numbers and secrets. */
export class RedisConnection {
  readonly #client: RedisClient
  readonly #name: string
  /** Milliseconds that a call may take. */
  readonly timeoutMs: number
  /** What last went wrong with the connection: a call without one knows only that it has none. */
  #fault: string | undefined

  private constructor(client: RedisClient, name: string, timeoutMs: number) {
    this.#client = client
    this.#name = name
    this.timeoutMs = timeoutMs
    const note = (error: unknown) => {
      this.#fault = reasonOf(error) ?? this.#fault
    }
    // Without a listener the client would write to the console.
    client.on('error', note)
    client.on('node error', note)
  }

  /**
   * Connects, finding out whether this is a cluster. Rejects after at most `openMs`, with an Error whose message
   * names hosts and reason.
   */
  static async open(address: RedisAddress, timeoutMs: number, openMs: number): Promise<RedisConnection> {
    const clustered = await isCluster(address, openMs / 2).catch((error: unknown) => {
      throw unusable(address.name, reasonOf(error))
    })
    const connection = new RedisConnection(makeClient(address, clustered, timeoutMs), address.name, timeoutMs)
    try {
      await within(openMs / 2, connection.#client.connect())
      return connection
    } catch (error) {
      await connection.close()
      throw connection.#error(error)
    }
  }

  /** Runs a script. Rejects when there is no connection, no answer by `until` of `performance.now()`, or a refusal. */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    until = performance.now() + this.timeoutMs,
  ): Promise<unknown> {
    try {
      const answer = await within(
        until - performance.now(),
        this.#client[script](keys.length, ...keys, ...args),
      )
      this.#fault = undefined
      return answer
    } catch (error) {
      throw this.#error(error)
    }
  }

  /** Ends the connection for good; what is under way rejects. */
  async close(): Promise<void> {
    if (this.#client.status === 'end') return
    const ended = new Promise<void>((resolve) => {
      this.#client.once('end', resolve)
    })
    this.#client.disconnect()
    await within(CLOSE_MS, ended).catch(() => {})
  }

  /** The error of a call that is not made. */
  unusable(why: string): Error {
    return unusable(this.#name, why)
  }

  #error(error: unknown): Error {
    return unusable(this.#name, reasonOf(error) ?? this.#fault)
  }
}

function unusable(name: string, reason = 'no connection'): Error {
  return new Error(`Redis at ${name} cannot be used: ${reason}`)
}
