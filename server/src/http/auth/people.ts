import type { FastifyRequest } from 'fastify'
import type { SignedIn } from '../../auth/sessions.ts'
import { CountersignError } from '../../primitives/errors.ts'
import type { Services } from '../services.ts'

const AGENT_MAX = 200

/** The `User-Agent`, as far as it is kept: printable, and not long. */
export function agentOf(request: FastifyRequest): string {
  return (request.headers['user-agent'] ?? '').replace(/[^\x20-\x7e]/g, '').slice(0, AGENT_MAX)
}

/** Who calls with an access token. Throws `unauthorized`, and `second_factor_required` where one must be turned on first. */
export async function authenticateUser(services: Services, request: FastifyRequest): Promise<SignedIn> {
  const token = /^Bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined) throw new CountersignError('unauthorized', 'An access token is needed')
  const who = await services.auth.sessions.authenticate(token)
  if (request.routeOptions.config.isSetup !== true) services.auth.sessions.mustBeComplete(who)
  return who
}
