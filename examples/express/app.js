import { makeTokenVerifier, requireUser, seenInMemory, TokenError, userOf } from 'countersign/verify-token'
import express from 'express'

const url = process.env.COUNTERSIGN_URL ?? 'http://localhost:8080'
const verify = makeTokenVerifier({
  url,
  issuer: process.env.COUNTERSIGN_ISSUER ?? url,
  // With several processes, a store that they share: see docs/verify-token.md.
  seen: seenInMemory(),
})
const signedIn = requireUser(verify)
// What a page does when it is asked for more is in docs/verify-token.md.
const secondFactor = requireUser(verify, { maxAgeSeconds: 300, amr: ['mfa'] })

export const app = express()

app.get('/me', signedIn, (request, response) => {
  const { sub, sid, amr } = userOf(request)
  // Whoever starts a verification with this nonce makes a proof that is good in this session alone.
  response.json({ user: sub, amr, nonce: sid })
})

// First the guard, so that no body of a stranger is read.
app.post('/phone', signedIn, express.json(), async (request, response) => {
  const { sub: user, sid } = userOf(request)
  const { sub: phone } = await verify.proof(request.body?.proof, { purpose: 'phone_change', nonce: sid })
  // Here the number would be written to the user.
  response.json({ user, phone })
})

// A token that somebody has found is not enough: a second factor was shown, at most five minutes ago.
app.delete('/me', secondFactor, (request, response) => {
  // Here everything that is kept of the user would be deleted.
  response.json({ deleted: userOf(request).sub })
})

app.use((error, _request, response, next) => {
  if (!(error instanceof TokenError)) return next(error)
  return response.status(error.code === 'keys_unavailable' ? 503 : 400).json({ code: error.code })
})
