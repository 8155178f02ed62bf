import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { RacerCall } from './mongo-auth-racer.ts'

const RACER = join(import.meta.dirname, 'mongo-auth-racer.ts')
const PROCESSES = 3

/** Processes of their own on one database, which sign people in. */
export class AuthProcesses {
  readonly #children: readonly ChildProcess[]

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children
  }

  static async start(url: string): Promise<AuthProcesses> {
    return new AuthProcesses(await Promise.all(Array.from({ length: PROCESSES }, () => startRacer(url))))
  }

  /** Makes so many calls at the same time, as many in each process. */
  async race<T>(count: number, call: (at: number) => RacerCall): Promise<T[]> {
    const calls = Array.from({ length: count }, (_, at) => call(at))
    const answers = this.#children.map((child) => once(child, 'message'))
    for (const [at, child] of this.#children.entries())
      child.send({ calls: calls.filter((_, n) => n % PROCESSES === at) })
    return ((await Promise.all(answers)) as [T[]][]).flatMap(([all]) => all)
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        child.send('end')
        await once(child, 'exit')
      }),
    )
  }
}

/** One process, which makes the calls that it is sent. */
export async function startRacer(url: string): Promise<ChildProcess> {
  const child = fork(RACER, [url], { execArgv: [] })
  await once(child, 'message')
  return child
}
