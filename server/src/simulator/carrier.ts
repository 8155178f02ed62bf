import type { Clock } from '../primitives/clock.ts'
import { Agenda } from './agenda.ts'
import { Callbacks } from './callbacks.ts'
import { Dice } from './dice.ts'
import { Phones } from './phones.ts'
import { changed, DEFAULTS, type Settings, type SettingsChange } from './settings.ts'

/** Who may call, and with which senders. */
export type Account = {
  readonly sid: string
  readonly authToken: string
  readonly apiKeySid: string
  readonly apiKeySecret: string
  /** The numbers it owns, E.164; `any` lets it send from every number there can be. */
  readonly numbers: readonly string[] | 'any'
}

/** What every interface of the simulated carrier works on. */
export class Carrier {
  readonly account: Account
  readonly clock: Clock
  readonly phones = new Phones()
  /** What is on its way to phones. */
  readonly agenda = new Agenda()
  /** Answers that are to come; nobody who waits for one is forgotten by a reset. */
  readonly answers = new Agenda()
  readonly dice: Dice
  readonly callbacks: Callbacks
  readonly #first: Settings
  readonly #forgetters = new Set<() => void>()
  readonly #listeners = new Set<() => void>()
  settings: Settings

  constructor(account: Account, clock: Clock, settings: SettingsChange) {
    this.account = account
    this.clock = clock
    this.#first = changed(DEFAULTS, settings)
    this.settings = this.#first
    this.dice = new Dice(this.settings.seed)
    this.callbacks = new Callbacks(account.authToken)
  }

  /** The number that a Messaging Service, or a verification, sends from. */
  get sender(): string {
    const { numbers } = this.account
    return (numbers === 'any' ? undefined : numbers[0]) ?? '+15005550006'
  }

  /** Changes settings. A seed that is named starts the dice again. @throws SettingsError and changes nothing. */
  change(change: unknown): Settings {
    this.settings = changed(this.settings, change)
    if (typeof change === 'object' && change !== null && 'seed' in change) this.dice.reset(this.settings.seed)
    for (const listen of this.#listeners) listen()
    return this.settings
  }

  /** Calls back after every change of settings. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Has something forgotten at every reset. */
  onReset(forget: () => void): void {
    this.#forgetters.add(forget)
  }

  /** Makes everything as it was at the start: no messages, nothing under way, the first settings. */
  reset(): void {
    this.agenda.clear()
    this.phones.clear()
    this.settings = this.#first
    this.dice.reset(this.settings.seed)
    for (const forget of this.#forgetters) forget()
  }

  async close(): Promise<void> {
    this.agenda.clear()
    this.answers.clear()
    await this.callbacks.close()
  }
}
