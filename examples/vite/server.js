import { createHash, randomBytes } from 'node:crypto'
import { makeTokenVerifier, requireUser, seenInMemory, TokenError, userOf } from 'countersign/verify-token'
import express from 'express'

const url = process.env.COUNTERSIGN_URL ?? 'http://localhost:8080'
const verify = makeTokenVerifier({
  url,
  issuer: process.env.COUNTERSIGN_ISSUER ?? url,
  // With several processes, a store that they share: see docs/verify-token.md.
  seen: seenInMemory(),
})
/** The number of each session; a real application has a database. */
const phones = new Map()

const app = express()

// Nothing is loaded from elsewhere, and only Countersign is called.
app.use((_request, response, next) => {
  response.setHeader(
    'content-security-policy',
    `default-src 'self'; img-src 'self' data:; connect-src 'self' ${url}; base-uri 'none'; frame-ancestors 'none'`,
  )
  next()
})
app.use(express.static(`${import.meta.dirname}/dist`))

/** A browser without a session gets one. A verification with its nonce makes a proof that is good here alone. */
app.get('/api/session', (request, response) => {
  const session = sessionOf(request) ?? randomBytes(32).toString('base64url')
  // Served over https, with `secure` and the prefix `__Host-`.
  response.cookie('session', session, { httpOnly: true, sameSite: 'lax' })
  response.set('cache-control', 'no-store')
  response.json({ nonce: nonceOf(session), phone: phones.get(session) ?? null })
})

/** Believes that the number is this session's because of the proof, and of nothing else that the page says. */
app.post('/api/phone', express.json(), async (request, response) => {
  const session = sessionOf(request)
  if (!session) return response.status(401).json({ code: 'no_session' })
  const { sub: phone } = await verify.proof(request.body?.proof, {
    purpose: 'verify',
    nonce: nonceOf(session),
  })
  phones.set(session, phone)
  return response.json({ phone })
})

/** For who is signed in: the page sends an access token, which is checked here without asking anybody. */
app.get('/api/orders', requireUser(verify), (request, response) => {
  response.json({ user: userOf(request).sub, orders: [] })
})

app.use((error, _request, response, next) => {
  if (!(error instanceof TokenError)) return next(error)
  return response.status(error.code === 'keys_unavailable' ? 503 : 400).json({ code: error.code })
})

function sessionOf({ headers }) {
  return /(?:^|; )session=([\w-]{43})(?:;|$)/.exec(headers.cookie ?? '')?.[1]
}

/** Is the same for the whole session, and tells nobody its cookie. */
function nonceOf(session) {
  return createHash('sha256').update(session).digest('base64url')
}

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  process.stdout.write(`http://localhost:${server.address().port}\n`)
})
