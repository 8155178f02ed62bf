import type { Answer as WireAnswer, ServerProcess } from '../helpers/process.ts'
import type { Answer, Disturbance, Operation, Request } from './evidence.ts'

/** A server process and the name it has in the history. */
export type Server = { readonly name: string; readonly process: ServerProcess }

/** Writes down every call, with its place in the one order of what this process saw. */
export class Recorder {
  readonly operations: Operation[] = []
  readonly disturbances: Disturbance[] = []
  #events = 0

  /** Calls a server and notes what became of it; resolves with the answer, or with nothing when there was none. */
  async call(server: Server, request: Omit<Request, 'server'>): Promise<Answer | undefined> {
    const invoked = this.#events++
    const invokedAt = Date.now()
    const answer = await ask(server.process, request)
    this.operations.push({
      ...request,
      server: server.name,
      invoked,
      invokedAt,
      returned: this.#events++,
      returnedAt: Date.now(),
      ...(answer ? { answer } : {}),
    })
    return answer
  }

  disturb(what: string): void {
    this.disturbances.push({ at: Date.now(), what })
  }
}

async function ask(process: ServerProcess, request: Omit<Request, 'server'>): Promise<Answer | undefined> {
  try {
    return read(await wire(process, request))
  } catch {
    // The connection died, with the process or before it.
    return undefined
  }
}

function wire(process: ServerProcess, request: Omit<Request, 'server'>): Promise<WireAnswer> {
  const { kind, id = '', to, purpose, code = '', key } = request
  const path = `/v1/verifications/${id}`
  switch (kind) {
    case 'start':
      if (key === undefined) return process.start(to, { purpose })
      return process.start(to, { purpose, metadata: { key } }, { headers: { 'idempotency-key': key } })
    case 'check':
      if (id !== '') return process.check(id, code)
      return process.call('POST', '/v1/checks', { body: { to, purpose, code } })
    case 'resend':
    case 'cancel':
      return process.call('POST', `${path}/${kind}`)
    case 'read':
      return process.call('GET', path)
  }
}

function read({ status: http, body }: WireAnswer): Answer {
  if (http >= 300) return { http, problem: body.limit ?? body.code ?? '' }
  const { id, status, reason, proof, checks_left: checksLeft, expires_at: expires, sends } = body
  return {
    http,
    ...(id === undefined ? {} : { id }),
    ...(typeof status === 'string' ? { status: status as Exclude<Answer['status'], undefined> } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(proof === undefined ? {} : { hasProof: true }),
    ...(checksLeft === undefined ? {} : { checksLeft }),
    ...(expires === undefined ? {} : { expiresAt: Date.parse(expires) }),
    ...(sends === undefined ? {} : { sends: sends.map((send) => send.status) }),
  }
}
