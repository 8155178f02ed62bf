import type { Socket } from 'node:net'
import type { Fields, PDU } from 'smpp'
import { NO_SUCH_COMMAND, NO_SUCH_LENGTH } from './smpp-codes.ts'

/** The largest packet read, in octets; the package's codec takes no larger one either. */
const PACKET_MAX = 16_384
const HEADER = 16
/** An SMSC that asks without reading the answers fills this much of memory and is left. */
const UNREAD_MAX = 1 << 20
const IS_ANSWER = 0x8000_0000
const SEQUENCE_MAX = 0x7fff_ffff

/** What came of a request: its answer, or why there is none. The request may have been taken all the same. */
export type Reply = { readonly pdu: PDU } | { readonly lost: 'timeout' | 'link_lost' | 'garbled' }

/** What a connection tells. */
export type ConnectionEvents = {
  /** The SMSC asks; `answer` answers it. */
  request(pdu: PDU): void
  /** The connection is gone; every request has been settled. */
  closed(): void
}

type Waiting = {
  readonly command: string
  readonly settle: (reply: Reply) => void
  readonly timer: NodeJS.Timeout
}

/**
 * One TCP or TLS connection that speaks SMPP: packets in and out, and each answer to its request by sequence number,
 * in whatever order they come.
 *
 * It takes the package's codec and not its session: that one reads half a packet as a whole one when the stream ends
 * in it, which would make a torn id a message's, keeps requests for ever, and stops reading after a packet it cannot
 * decode.
 */
export class SmppConnection {
  readonly #socket: Socket
  readonly #Pdu: typeof PDU
  readonly #events: ConnectionEvents
  readonly #timeoutMs: number
  readonly #waiting = new Map<number, Waiting>()
  #sequence = 0
  #unread: Buffer = Buffer.alloc(0)
  #isOpen = true

  /** Takes over a connected socket. A request without an answer in `timeoutMs` is given up. */
  constructor(socket: Socket, Pdu: typeof PDU, timeoutMs: number, events: ConnectionEvents) {
    this.#socket = socket
    this.#Pdu = Pdu
    this.#timeoutMs = timeoutMs
    this.#events = events
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => this.destroy())
    socket.once('end', () => this.destroy())
    socket.once('close', () => this.destroy())
  }

  /** Sends a request and waits for its answer; never rejects. */
  request(command: string, fields: Fields = {}): Promise<Reply> {
    if (!this.#isOpen) return Promise.resolve({ lost: 'link_lost' })
    this.#sequence = (this.#sequence % SEQUENCE_MAX) + 1
    const sequence = this.#sequence
    const packet = new this.#Pdu(command, { ...fields, sequence_number: sequence }).toBuffer()
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(sequence, { lost: 'timeout' }), this.#timeoutMs)
      this.#waiting.set(sequence, { command, settle: resolve, timer })
      this.#write(packet)
    })
  }

  /** Answers a request of the SMSC's; 0 is yes. Nothing happens where the connection is gone: it will ask again. */
  answer(pdu: PDU, commandStatus = 0): void {
    this.#write(pdu.response({ command_status: commandStatus }).toBuffer())
  }

  /** Tells the SMSC that we do not do what it asks. */
  refuse(pdu: PDU): void {
    this.#nack(pdu.sequence_number, NO_SUCH_COMMAND)
  }

  /** Cuts the connection. What waits for an answer is told that it is lost. */
  destroy(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#unread = Buffer.alloc(0)
    this.#socket.destroy()
    for (const sequence of this.#waiting.keys()) this.#settle(sequence, { lost: 'link_lost' })
    this.#events.closed()
  }

  #write(packet: Buffer): void {
    if (!this.#isOpen) return
    this.#socket.write(packet)
    if (this.#socket.writableLength > UNREAD_MAX) this.destroy()
  }

  #nack(sequence: number, commandStatus: number): void {
    const fields = { sequence_number: sequence, command_status: commandStatus }
    this.#write(new this.#Pdu('generic_nack', fields).toBuffer())
  }

  /** Cuts packets out of the stream. A length that no packet has means that we have lost our place in it. */
  #read(chunk: Buffer): void {
    let rest = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk])
    while (this.#isOpen && rest.length >= 4) {
      const length = rest.readUInt32BE(0)
      if (length < HEADER || length > PACKET_MAX) {
        this.destroy()
        return
      }
      if (rest.length < length) break
      this.#take(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    // A copy, or a few octets would keep the whole chunk.
    if (this.#isOpen) this.#unread = Buffer.from(rest)
  }

  #take(packet: Buffer): void {
    const isAnswer = packet.readUInt32BE(4) >= IS_ANSWER
    const sequence = packet.readUInt32BE(12)
    let pdu: PDU
    try {
      pdu = new this.#Pdu(packet)
    } catch {
      if (isAnswer) this.#settle(sequence, { lost: 'garbled' })
      else this.#nack(sequence, NO_SUCH_LENGTH)
      return
    }
    if (!isAnswer) {
      this.#events.request(pdu)
      return
    }
    const asked = this.#waiting.get(sequence)?.command
    const isOurs = pdu.command === `${asked}_resp` || pdu.command === 'generic_nack'
    this.#settle(sequence, isOurs ? { pdu } : { lost: 'garbled' })
  }

  #settle(sequence: number, reply: Reply): void {
    const waiting = this.#waiting.get(sequence)
    if (waiting === undefined) return
    this.#waiting.delete(sequence)
    clearTimeout(waiting.timer)
    waiting.settle(reply)
  }
}
