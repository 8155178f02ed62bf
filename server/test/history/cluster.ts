import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessOptions, ServerProcess } from '../helpers/process.ts'
import type { Dice } from './random.ts'
import type { Recorder, Server } from './recorder.ts'

/** Longer than this without any server, and something else is wrong. */
const NO_SERVER_MS = 30_000
/** A server lives so long at least, on the average. */
const LEAST_PAUSE_MS = 150

/** A place that one server process serves from, and the next one takes over. */
type Seat = {
  readonly name: string
  readonly options: ProcessOptions
  active: Server | undefined
  generation: number
}

/**
 * Server processes that are killed as fast as others can be booted. Each seat boots its next process while the
 * present one serves, so that there are always some to kill and some left.
 */
export class Cluster {
  /** Processes that ended, or did not start, without being told to, with their last words. */
  readonly deaths: string[] = []
  readonly #seats: readonly Seat[]
  readonly #recorder: Recorder
  readonly #doomed = new Set<ServerProcess>()
  readonly #boots = new Permits(availableParallelism())
  #kills = 0

  constructor(seats: readonly ProcessOptions[], recorder: Recorder) {
    this.#recorder = recorder
    this.#seats = seats.map((options, n) => ({
      name: 'abc'.charAt(n),
      options,
      active: undefined,
      generation: 0,
    }))
  }

  get kills(): number {
    return this.#kills
  }

  /** Those that serve. */
  get servers(): Server[] {
    return this.#seats.flatMap(({ active }) => active ?? [])
  }

  async boot(): Promise<void> {
    // The first one makes the schema.
    for (const seat of this.#seats) seat.active = await this.#bootNext(seat)
  }

  /** Any server, waiting for one where none is left. */
  async serverOf(dice: Dice): Promise<Server> {
    const until = Date.now() + NO_SERVER_MS
    for (;;) {
      const server = dice.pick(this.servers)
      if (server) return server
      if (Date.now() > until) throw new Error(`no server is left: ${this.deaths.join('; ')}`)
      await sleep(5)
    }
  }

  /**
   * Kills and replaces servers until `isOver`, so often that the plan's kills are spread over its time. `moment` resolves
   * at a time that is bad to die at. Every seat has its server when it is done.
   */
  async killUntil(
    isOver: () => boolean,
    plan: { readonly kills: number; readonly leastMs: number },
    dice: Dice,
    moment: () => Promise<void>,
  ): Promise<void> {
    const pauseMs = Math.max(LEAST_PAUSE_MS, (plan.leastMs * this.#seats.length) / plan.kills)
    const seats = this.#seats.map((seat) => this.#killSeat(seat, isOver, pauseMs, dice.fork(), moment))
    await Promise.all(seats)
  }

  /** SIGTERM to all; resolves when they have ended. */
  async stop(): Promise<void> {
    await Promise.all(
      this.servers.map(async ({ name, process }) => {
        this.#doomed.add(process)
        const { code, signal } = await process.stop()
        if (code !== 0) this.deaths.push(`${name} stopped with ${code ?? signal}`)
      }),
    )
  }

  async #killSeat(
    seat: Seat,
    isOver: () => boolean,
    pauseMs: number,
    dice: Dice,
    moment: () => Promise<void>,
  ): Promise<void> {
    while (!isOver()) {
      const next = await this.#bootNext(seat)
      if (!next) continue
      const soon = sleep(dice.within(0, 2 * pauseMs))
      await (dice.chance(0.3) ? Promise.race([moment(), soon]) : soon)
      // Now and then nobody is left, so that nothing survives in anybody's memory.
      const all = dice.chance(0.04) ? this.#seats : [seat]
      await Promise.all(all.map((one) => this.#kill(one)))
      seat.active = next
    }
    while (!seat.active) seat.active = await this.#bootNext(seat)
  }

  async #kill(seat: Seat): Promise<void> {
    const { active } = seat
    if (!active) return
    seat.active = undefined
    this.#doomed.add(active.process)
    this.#kills++
    this.#recorder.disturb(`kill -9 ${active.name}`)
    await active.process.kill()
  }

  async #bootNext(seat: Seat): Promise<Server | undefined> {
    const name = `${seat.name}${seat.generation++}`
    await this.#boots.take()
    try {
      const process = await ServerProcess.start(seat.options)
      void process.exited.then(({ code, signal }) => {
        if (!this.#doomed.has(process))
          this.deaths.push(`${name} ended with ${code ?? signal}: ${process.stderr}`)
      })
      return { name, process }
    } catch (error) {
      this.deaths.push(`${name} did not start: ${String(error)}`)
      return undefined
    } finally {
      this.#boots.giveBack()
    }
  }
}

/** Lets so many through at a time. */
class Permits {
  #left: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#left = count
  }

  async take(): Promise<void> {
    if (this.#left-- > 0) return
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  giveBack(): void {
    this.#left++
    this.#waiting.shift()?.()
  }
}
