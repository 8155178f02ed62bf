import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Fields, PDU } from 'smpp'
import type { Sent } from '../messaging/provider.ts'
import { meaningOfStatus } from './smpp-codes.ts'
import { SmppConnection, type Reply } from './smpp-connection.ts'
import { SmppQueue } from './smpp-queue.ts'

/** Where the SMSC is, who we are to it, and how patient the link is. */
export type LinkSettings = {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Certificates to trust instead of the machine's, PEM. */
  readonly ca?: string | undefined
  readonly systemId: string
  readonly password: string
  readonly systemType: string
  /** Submits without an answer at once. */
  readonly window: number
  /** Submits that wait for a place in the window. */
  readonly queue: number
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly enquireEveryMs: number
  /** The first pause before another try to bind; it doubles with each, up to `reconnectMaxMs`. */
  readonly reconnectMs: number
  readonly reconnectMaxMs: number
}

/** What a link needs from around it. */
export type LinkDeps = {
  readonly Pdu: typeof PDU
  /** A whole number from 0 to `max - 1`, for the jitter. */
  readonly randomInt: (max: number) => number
  /** A message or receipt of the SMSC's; resolves with the status to answer with. */
  readonly deliver: (pdu: PDU) => Promise<number>
  /** The message's id in an answer. */
  readonly readId: (id: unknown) => string | undefined
}

const UNBIND_MS = 2_000
const INTERFACE_VERSION = 0x34

/**
 * The one connection to an SMSC, bound as a transceiver and bound again whenever it is lost. It sends at most `window`
 * submits without an answer; a few more wait for a place, and what comes on top is throttled.
 */
export class SmppLink {
  readonly #settings: LinkSettings
  readonly #deps: LinkDeps
  readonly #queue: SmppQueue
  #socket: Socket | undefined
  #bound: SmppConnection | undefined
  /** Why there is no bind; each send that meets it is told. */
  #down: Sent & { ok: false } = { ok: false, why: 'unavailable', code: 'not_bound' }
  #failures = 0
  #retry: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  constructor(settings: LinkSettings, deps: LinkDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#queue = new SmppQueue(settings.window, settings.queue, settings.responseTimeoutMs)
  }

  /** Begins to bind. Resolves once the first try has ended, well or badly. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#connect(resolve)
    })
  }

  /** Whether submits can go out, and if not, why. */
  get state(): { readonly bound: true } | { readonly bound: false; readonly code: string } {
    return this.#bound === undefined
      ? { bound: false, code: this.#down.code ?? 'not_bound' }
      : { bound: true }
  }

  /** Sends the packets of one message, all or none; tells of each what came of it. Never rejects. */
  submit(packets: readonly Fields[], signal: AbortSignal): Promise<readonly Sent[]> {
    if (signal.aborted) return Promise.resolve([{ ok: false, why: 'unavailable', code: 'aborted' }])
    if (this.#bound === undefined) return Promise.resolve([this.#down])
    return this.#queue.add(packets, signal)
  }

  /** Lets what has left be answered, unbinds and hangs up. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retry)
    const connection = this.#bound
    this.#bound = undefined
    this.#down = { ok: false, why: 'unavailable', code: 'closed' }
    this.#queue.stop(this.#down)
    await this.#queue.drained()
    if (connection !== undefined) {
      let late: NodeJS.Timeout | undefined
      const patience = new Promise((resolve) => {
        late = setTimeout(resolve, UNBIND_MS)
      })
      await Promise.race([connection.request('unbind'), patience])
      clearTimeout(late)
      connection.destroy()
    }
    this.#socket?.destroy()
  }

  #connect(ended: () => void): void {
    const { host, port, tls, ca, connectTimeoutMs } = this.#settings
    const name = /^[\d.:]+$/.test(host) ? {} : { servername: host }
    const socket = tls ? connectTls({ host, port, ca, ...name }) : connectTcp({ host, port })
    this.#socket = socket
    socket.setNoDelay(true)
    const late = setTimeout(() => socket.destroy(new Error('timeout')), connectTimeoutMs)
    const failed = (error: Error) => {
      const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message
      this.#lost({ ok: false, why: 'unavailable', code: /^\w{1,40}$/.test(code) ? code : 'socket' })
    }
    // Before it is connected nothing else closes a socket but an error or `close`.
    const closed = () => {
      clearTimeout(late)
      if (this.#closing === undefined) this.#again(0)
      ended()
    }
    socket.once('error', failed)
    socket.once('close', closed)
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(late)
      socket.off('error', failed)
      socket.off('close', closed)
      void this.#bind(socket).finally(ended)
    })
  }

  async #bind(socket: Socket): Promise<void> {
    const { systemId, password, systemType, responseTimeoutMs } = this.#settings
    let boundAt = 0
    const timers: { enquiring?: NodeJS.Timeout } = {}
    const connection = new SmppConnection(socket, this.#deps.Pdu, responseTimeoutMs, {
      request: (pdu) => this.#serve(connection, pdu),
      closed: () => {
        clearInterval(timers.enquiring)
        if (this.#bound === connection) this.#lost({ ok: false, why: 'unavailable', code: 'not_bound' })
        if (this.#closing === undefined) this.#again(boundAt === 0 ? 0 : performance.now() - boundAt)
      },
    })
    const reply = await connection.request('bind_transceiver', {
      system_id: systemId,
      password,
      system_type: systemType,
      interface_version: INTERFACE_VERSION,
    })
    if (this.#closing !== undefined) return connection.destroy()
    const refusal = this.#refusalOf(reply)
    if (refusal !== undefined) {
      this.#lost(refusal)
      return connection.destroy()
    }
    boundAt = performance.now()
    this.#bound = connection
    let asked = false
    const enquire = async () => {
      if (asked) return
      asked = true
      const heard = await connection.request('enquire_link')
      asked = false
      if ('lost' in heard) connection.destroy()
    }
    timers.enquiring = setInterval(() => void enquire(), this.#settings.enquireEveryMs).unref()
    this.#queue.start(async (fields) => {
      const answer = await connection.request('submit_sm', fields)
      // Silence may be the whole link's.
      if ('lost' in answer && answer.lost === 'timeout') void enquire()
      return this.#sentOf(answer)
    })
  }

  #refusalOf(reply: Reply): (Sent & { ok: false }) | undefined {
    if ('lost' in reply) return { ok: false, why: 'unavailable', code: `bind_${reply.lost}` }
    const { command, command_status } = reply.pdu
    if (command_status !== 0) return { ok: false, ...meaningOfStatus(command_status) }
    return command === 'bind_transceiver_resp'
      ? undefined
      : { ok: false, why: 'unavailable', code: 'bind_garbled' }
  }

  #sentOf(reply: Reply): Sent {
    if ('lost' in reply) return { ok: false, why: 'unknown', code: reply.lost }
    const { command, command_status } = reply.pdu
    if (command_status !== 0) return { ok: false, ...meaningOfStatus(command_status) }
    const ref = command === 'submit_sm_resp' ? this.#deps.readId(reply.pdu['message_id']) : undefined
    // It was taken, though nobody can say as what.
    return ref === undefined ? { ok: false, why: 'unknown', code: 'garbled' } : { ok: true, ref }
  }

  #serve(connection: SmppConnection, pdu: PDU): void {
    switch (pdu.command) {
      case 'deliver_sm':
      case 'data_sm':
        void this.#deps.deliver(pdu).then((status) => connection.answer(pdu, status))
        break
      case 'enquire_link':
        connection.answer(pdu)
        break
      case 'unbind':
        connection.answer(pdu)
        // What it has not answered by now it will not answer.
        setImmediate(() => connection.destroy())
        break
      case 'alert_notification':
      case 'outbind':
        // They have no answer.
        break
      default:
        connection.refuse(pdu)
    }
  }

  #lost(why: Sent & { ok: false }): void {
    this.#bound = undefined
    if (this.#closing === undefined) this.#down = why
    this.#queue.stop(this.#down)
  }

  /** Tries again after half to all of a doubling pause, which begins anew after a bind that held. */
  #again(heldMs: number): void {
    const { reconnectMs, reconnectMaxMs } = this.#settings
    if (heldMs > reconnectMaxMs) this.#failures = 0
    const pauseMs = Math.min(reconnectMaxMs, reconnectMs * 2 ** Math.min(this.#failures, 20))
    this.#failures += 1
    const half = Math.ceil(pauseMs / 2)
    clearTimeout(this.#retry)
    this.#retry = setTimeout(
      () => this.#connect(() => undefined),
      half + this.#deps.randomInt(half + 1),
    ).unref()
  }
}
