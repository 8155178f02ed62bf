// What is used of the `smpp` package, which has no types of its own. The provider takes its codec alone; the
// tests take its server too.
declare module 'smpp' {
  import type { Server, Socket } from 'node:net'

  /** Fields of a PDU by their names in the specification; octet strings may be buffers. */
  export type Fields = Readonly<Record<string, unknown>>

  /** One packet. Beside its header it has a member for every field and every optional parameter (TLV) it came with. */
  export class PDU {
    /** Of a buffer it decodes one whole packet, and throws where it cannot. */
    constructor(command: string | Buffer, fields?: Fields)
    /** Its name in the specification, such as `submit_sm`; `unknown` where the id is none of them. */
    readonly command: string
    readonly command_status: number
    readonly sequence_number: number
    readonly [field: string]: unknown
    toBuffer(): Buffer
    response(fields?: Fields): PDU
  }

  export class Session {
    readonly socket: Socket
    send(pdu: PDU): boolean
    on(event: string, listener: (pdu: PDU) => void): this
    on(event: 'error', listener: (error: Error) => void): this
    deliver_sm(fields: Fields, answered?: (pdu: PDU) => void): boolean
    enquire_link(answered?: (pdu: PDU) => void): boolean
    unbind(answered?: (pdu: PDU) => void): boolean
  }

  const smpp: {
    readonly PDU: typeof PDU
    createServer(options: object, listener: (session: Session) => void): Server
    readonly Session: new (options: { readonly socket: Socket }) => Session
  }
  export default smpp
}
