import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { makeTokenVerifier, seenInMemory, TokenError } from 'countersign/verify-token'

const url = process.env.COUNTERSIGN_URL ?? 'http://localhost:8080'
const publishableKey = process.env.COUNTERSIGN_PUBLISHABLE_KEY
if (!publishableKey?.startsWith('pk_'))
  throw new Error('COUNTERSIGN_PUBLISHABLE_KEY: a key that begins with pk_')
const verify = makeTokenVerifier({
  url,
  issuer: process.env.COUNTERSIGN_ISSUER ?? url,
  // With several processes, a store that they share: see docs/verify-token.md.
  seen: seenInMemory(),
})
/** The number of each session; a real application has a database. */
const phones = new Map()

// What the page loads: its own files, and the client as it is installed.
const client = new URL('.', import.meta.resolve('@countersign/client'))
const files = {
  '/': ['text/html; charset=utf-8', new URL('index.html', import.meta.url)],
  '/page.js': ['text/javascript', new URL('page.js', import.meta.url)],
  '/page.css': ['text/css', new URL('page.css', import.meta.url)],
}
const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ${url}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`

const server = createServer((request, response) => {
  respond(request, response).catch((error) => {
    if (error instanceof TokenError)
      return answer(response, error.code === 'keys_unavailable' ? 503 : 400, { code: error.code })
    return answer(response, error.code === 'ENOENT' ? 404 : 500, { code: 'failed' })
  })
})

async function respond(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost')
  const [, module] = /^\/client\/([\w-]+\.js)$/.exec(pathname) ?? []
  const [type, file] = module ? ['text/javascript', new URL(module, client)] : (files[pathname] ?? [])
  if (file && request.method === 'GET') {
    const content = await readFile(file)
    response.writeHead(200, { 'content-type': type, 'content-security-policy': policy }).end(content)
  } else if (pathname === '/session' && request.method === 'GET') answerSession(request, response)
  else if (pathname === '/phone' && request.method === 'POST') await takeProof(request, response)
  else answer(response, 404, { code: 'not_found' })
}

/** Who the page is for, and how it reaches Countersign. A browser without a session gets one. */
function answerSession(request, response) {
  const session = sessionOf(request) ?? randomBytes(32).toString('base64url')
  // Served over https, with `Secure` and the prefix `__Host-`.
  response.setHeader('set-cookie', `session=${session}; Path=/; HttpOnly; SameSite=Lax`)
  answer(response, 200, { url, publishableKey, nonce: nonceOf(session), phone: phones.get(session) ?? null })
}

/** Believes that the number is this session's because of the proof, and of nothing else that the page says. */
async function takeProof(request, response) {
  const session = sessionOf(request)
  if (!session) return answer(response, 401, { code: 'no_session' })
  const { proof } = await bodyOf(request)
  const { sub: phone } = await verify.proof(proof, { purpose: 'verify', nonce: nonceOf(session) })
  phones.set(session, phone)
  return answer(response, 200, { phone })
}

function sessionOf({ headers }) {
  return /(?:^|; )session=([\w-]{43})(?:;|$)/.exec(headers.cookie ?? '')?.[1]
}

/** Is the same for the whole session, and tells nobody its cookie. */
function nonceOf(session) {
  return createHash('sha256').update(session).digest('base64url')
}

async function bodyOf(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > 10_000) return {}
  }
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

server.listen(Number(process.env.PORT ?? 3000), () => {
  process.stdout.write(`http://localhost:${server.address().port}\n`)
})
