import {
  makeTokenVerifier,
  requireUserHook,
  seenInMemory,
  TokenError,
  userOf,
} from 'countersign/verify-token'
import Fastify from 'fastify'

const url = process.env['COUNTERSIGN_URL'] ?? 'http://localhost:8080'
const verify = makeTokenVerifier({
  url,
  issuer: process.env['COUNTERSIGN_ISSUER'] ?? url,
  // With several processes, a store that they share: see docs/verify-token.md.
  seen: seenInMemory(),
})
// As onRequest rather than as preHandler, so that no body of a stranger is read.
const onRequest = requireUserHook(verify)

export const app = Fastify()

app.get('/me', { onRequest }, (request) => {
  const { sub, sid, amr } = userOf(request)
  // Whoever starts a verification with this nonce makes a proof that is good in this session alone.
  return { user: sub, amr, nonce: sid }
})

const body = { type: 'object', required: ['proof'], properties: { proof: { type: 'string' } } }

app.post<{ Body: { proof: string } }>('/phone', { onRequest, schema: { body } }, async (request) => {
  const { sub: user, sid } = userOf(request)
  const { sub: phone } = await verify.proof(request.body.proof, { purpose: 'phone_change', nonce: sid })
  // Here the number would be written to the user.
  return { user, phone }
})

app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof TokenError)) return reply.send(error)
  return reply.code(error.code === 'keys_unavailable' ? 503 : 400).send({ code: error.code })
})
