import { createServer as createTlsServer } from 'node:tls'
import type { Server } from 'node:net'
import smpp, { type Fields, type PDU, type Session } from 'smpp'
import { listen } from '../conformance/provider-faults.ts'

/** What the SMSC does with every submit that follows. A number is the `command_status` it answers with. */
export type Play =
  | 'accept'
  /** Keeps them until `release`. */
  | 'hold'
  | 'silent'
  /** Cuts the connection instead of answering. */
  | 'cut'
  /** Ends the stream in the midst of an answer. */
  | 'half'
  | 'no_id'
  | 'wrong_command'
  | 'nack'
  /** Answers with octets that are no packet. */
  | 'noise'
  /** Brings the receipt before the answer. */
  | 'receipt_first'
  | number

/** A local SMSC that does what a test tells it. It speaks by the same package, but by its session and not its codec alone. */
export type ScriptedSmsc = {
  readonly port: number
  readonly url: string
  readonly submits: PDU[]
  readonly binds: PDU[]
  /** Names of the other requests, in order. */
  readonly asked: string[]
  /** Answers to what was delivered: statuses, in order. */
  readonly answers: number[]
  play: (submit: PDU, index: number) => Play
  /** 0, or what it refuses binds with. */
  bindStatus: number
  /** Whether it answers `enquire_link`. */
  isAlive: boolean
  /** The most it has held at once. */
  heldMost: number
  /** Links at this moment. */
  links(): number
  /** Answers what it holds, in this order of arrival or the other way round. */
  release(order?: 'first' | 'last'): void
  deliver(fields: Fields): void
  /** Writes octets to every link. */
  write(octets: Buffer): void
  unbind(): void
  cut(): void
  close(): Promise<void>
}

/** Starts one on a free port; with a key and certificate it speaks TLS. */
export async function startSmsc(tls?: { key: string; cert: string }): Promise<ScriptedSmsc> {
  const sessions = new Set<Session>()
  const held: (() => void)[] = []
  let counter = 0
  const smsc: ScriptedSmsc = {
    port: 0,
    url: '',
    submits: [],
    binds: [],
    asked: [],
    answers: [],
    play: () => 'accept',
    bindStatus: 0,
    isAlive: true,
    heldMost: 0,
    links: () => sessions.size,
    release: (order = 'first') => {
      const all = held.splice(0)
      for (const answer of order === 'first' ? all : all.toReversed()) answer()
    },
    deliver: (fields) => {
      for (const session of sessions)
        session.deliver_sm(fields, (pdu) => smsc.answers.push(pdu.command_status))
    },
    write: (octets) => {
      for (const session of sessions) session.socket.write(octets)
    },
    unbind: () => {
      for (const session of sessions) session.unbind()
    },
    cut: () => {
      for (const session of sessions) session.socket.destroy()
    },
    close: () => {
      smsc.cut()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }

  function submitted(session: Session, pdu: PDU): void {
    smsc.submits.push(pdu)
    counter += 1
    const message_id = `m${counter}`
    const accept = () => session.send(pdu.response({ message_id }))
    const play = smsc.play(pdu, smsc.submits.length - 1)
    if (play === 'accept') accept()
    else if (play === 'hold') smsc.heldMost = Math.max(smsc.heldMost, held.push(accept))
    else if (play === 'cut') session.socket.destroy()
    else if (play === 'half')
      session.socket.end(pdu.response({ message_id: 'torn-in-two' }).toBuffer().subarray(0, 21))
    else if (play === 'no_id') session.send(pdu.response())
    else if (play === 'wrong_command')
      session.send(new smpp.PDU('query_sm_resp', { sequence_number: pdu.sequence_number, message_id }))
    else if (play === 'nack')
      session.send(new smpp.PDU('generic_nack', { sequence_number: pdu.sequence_number, command_status: 3 }))
    else if (play === 'noise') session.socket.write(Buffer.alloc(64, 0xff))
    else if (play === 'receipt_first') {
      session.deliver_sm(receipt(message_id), (answer) => smsc.answers.push(answer.command_status))
      accept()
    } else if (play !== 'silent') session.send(pdu.response({ command_status: play }))
  }

  const serve = (session: Session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => undefined)
    session.on('pdu', (pdu) => {
      if (['bind_transceiver', 'submit_sm'].includes(pdu.command) || pdu.command.endsWith('_resp')) return
      smsc.asked.push(pdu.command)
    })
    session.on('bind_transceiver', (pdu) => {
      smsc.binds.push(pdu)
      session.send(
        pdu.response(smsc.bindStatus === 0 ? { system_id: 'smsc' } : { command_status: smsc.bindStatus }),
      )
    })
    session.on('enquire_link', (pdu) => {
      if (smsc.isAlive) session.send(pdu.response())
    })
    session.on('unbind', (pdu) => {
      session.send(pdu.response())
    })
    session.on('submit_sm', (pdu) => submitted(session, pdu))
  }
  const server: Server =
    tls === undefined
      ? smpp.createServer({}, serve)
      : createTlsServer(tls, (socket) => serve(new smpp.Session({ socket })))
  const port = await listen(server)
  return Object.assign(smsc, {
    port,
    url: `${tls === undefined ? 'smpp' : 'smpps'}://tester:p%40ss@127.0.0.1:${port}`,
  })
}

/** A receipt in its text form, and by TLVs too. */
export function receipt(id: string, stat = 'DELIVRD', state = 2, err = '000'): Fields {
  return {
    esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611211000 done date:2611211001 stat:${stat} err:${err} text:hello`,
    receipted_message_id: id,
    message_state: state,
  }
}
