import type { AccessClaims } from './claims.ts'
import { refusalOf, userOfHeader } from './refusal.ts'
import { checkExpectations, type AccessExpectations } from './step-up.ts'
import type { TokenVerifier } from './verifier.ts'

/** A request of Node, Connect, Express or Fastify. */
type NodeRequest = { readonly headers: { readonly authorization?: string | undefined } }

/** A response of Node, Connect or Express. */
type NodeResponse = {
  writeHead(status: number, headers: Record<string, string>): unknown
  end(body: string): unknown
}

/** A reply of Fastify. */
type FastifyReply = {
  code(status: number): unknown
  headers(headers: Record<string, string>): unknown
  send(body: string): unknown
}

/** A request of the Web, which Next.js, Hono, Deno and others have. */
type WebRequest = { readonly headers: { get(name: string): string | null } }

/** Who sent each request. Kept beside the requests, so that nothing else can have put it there. */
const users = new WeakMap<object, AccessClaims>()

/**
 * Middleware for Connect and Express: goes on for who is signed in, and answers everyone else with 401. With
 * expectations it asks who is signed in to show a second factor, or to show it again, where the token does not meet them.
 */
export function requireUser(
  verify: TokenVerifier,
  wanted?: AccessExpectations,
): (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void) => Promise<void> {
  checkExpectations(wanted)
  return async (request, response, next) => {
    try {
      await admit(verify, request, wanted)
    } catch (error) {
      const refusal = refusalOf(error, wanted)
      if (refusal === undefined) return next(error)
      response.writeHead(refusal.status, refusal.headers)
      response.end(refusal.body)
      return undefined
    }
    return next()
  }
}

/** The same as a `preHandler` or `onRequest` hook of Fastify. */
export function requireUserHook(
  verify: TokenVerifier,
  wanted?: AccessExpectations,
): (request: NodeRequest, answer: FastifyReply) => Promise<unknown> {
  checkExpectations(wanted)
  return async (request, answer) => {
    try {
      await admit(verify, request, wanted)
      return undefined
    } catch (error) {
      const refusal = refusalOf(error, wanted)
      if (refusal === undefined) throw error
      answer.code(refusal.status)
      answer.headers(refusal.headers)
      answer.send(refusal.body)
      return answer
    }
  }
}

/** Who sent a request that one of the two above let through. Throws for one that none of them has seen. */
export function userOf(request: object): AccessClaims {
  const user = users.get(request)
  if (user === undefined) throw new Error('userOf needs requireUser or requireUserHook in front of the route')
  return user
}

/** The same around a handler of Web requests, such as a route handler of Next.js. */
export function withUser<Incoming extends WebRequest, Rest extends readonly unknown[]>(
  verify: TokenVerifier,
  handler: (request: Incoming, user: AccessClaims, ...rest: Rest) => Response | Promise<Response>,
  wanted?: AccessExpectations,
): (request: Incoming, ...rest: Rest) => Promise<Response> {
  checkExpectations(wanted)
  return async (request, ...rest) => {
    let user: AccessClaims
    try {
      user = await userOfHeader(verify, request.headers.get('authorization'), wanted)
    } catch (error) {
      const refusal = refusalOf(error, wanted)
      if (refusal === undefined) throw error
      const { status, headers, body } = refusal
      return new Response(body, { status, headers })
    }
    return handler(request, user, ...rest)
  }
}

async function admit(
  verify: TokenVerifier,
  request: NodeRequest,
  wanted: AccessExpectations | undefined,
): Promise<void> {
  users.set(request, await userOfHeader(verify, request.headers.authorization, wanted))
}
