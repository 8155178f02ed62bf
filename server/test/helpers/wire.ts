import { expect } from 'vitest'
import type { Answer, Call, TestServer } from './server.ts'

/** A send as it comes over the wire. */
export type WireSend = {
  readonly id: string
  readonly provider: string
  readonly channel: string
  readonly status: string
  readonly error: string | null
  readonly at: string
  readonly delivered_at: string | null
  readonly price: string | null
  readonly currency: string | null
}

/** A verification as it comes over the wire, with what a start and a check add. */
export type WireVerification = {
  readonly id: string
  readonly status: string
  readonly to: string
  readonly channel: string
  readonly purpose: string
  readonly expires_at: string
  readonly resend_at: string
  readonly checks_left: number
  readonly sends_left: number
  readonly created_at: string
  readonly decided_at: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly sends?: readonly WireSend[]
  readonly preview_code?: string
  readonly valid?: boolean
  readonly reason?: string
  readonly proof?: string
}

/** A problem as it comes over the wire. */
export type WireProblem = {
  readonly code: string
  readonly detail: string
  readonly field?: string
  readonly limit?: string
  readonly retry_after?: number
  readonly verification_id?: string
}

/** Starts a verification and expects it to be opened or sent; `code` is its code. */
export async function start(
  server: TestServer,
  to: string,
  body: object = {},
  call: Call = {},
): Promise<WireVerification & { code: string }> {
  const answer = await server.api<WireVerification>('POST', '/v1/verifications', {
    ...call,
    body: { to, ...body },
  })
  expect([200, 201], answer.text).toContain(answer.status)
  return { ...answer.body, code: answer.body.preview_code ?? '' }
}

/** Checks a code by id. */
export function check(
  server: TestServer,
  id: string,
  code: unknown,
  call: Call = {},
): Promise<Answer<WireVerification>> {
  return server.api<WireVerification>('POST', `/v1/verifications/${id}/check`, { ...call, body: { code } })
}

/** Checks a code by id and tells only what was found: the reason, or the status of a refusal. */
export async function outcomeOf(
  server: TestServer,
  id: string,
  code: unknown,
  call: Call = {},
): Promise<string | number | undefined> {
  const answer = await check(server, id, code, call)
  return answer.status === 200 ? answer.body.reason : answer.status
}

/** Reads a verification. */
export async function read(server: TestServer, id: string): Promise<WireVerification> {
  return (await server.api<WireVerification>('GET', `/v1/verifications/${id}`)).body
}

/** A code of the same length that is not this one. */
export function wrong(code: string, n = 1): string {
  return String((Number(code) + n) % 10 ** code.length).padStart(code.length, '0')
}
