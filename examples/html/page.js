import { createClient, isCountersignError } from './client/index.js'

const at = (id) => document.getElementById(id)
const session = await begin()
const client = createClient({ baseUrl: session.url, publishableKey: session.publishableKey })
/** Where the verification is that is under way, so that a reload does not lose it. */
const SAVED = 'verification'
let verification
let isBusy = false

at('number').addEventListener('submit', (event) =>
  during(event, 'phone', async () => {
    const to = at('phone').value.trim().replace(/^00/, '+')
    if (to === '') return complain('phone', 'Enter your number.')
    ask(await client.verifications.start({ to, nonce: session.nonce }))
  }),
)

at('check').addEventListener('submit', (event) =>
  during(event, 'code', async () => {
    // Pasted with the words around it, or in two groups.
    const code = at('code').value.replace(/\D/g, '')
    if (code.length < 4) return complain('code', 'Enter the code from the message.')
    const checked = await client.verifications.check(verification.id, code)
    if (checked.valid) finish(await send(checked.proof))
    else complain('code', refusal(checked))
  }),
)

at('resend').addEventListener('click', (event) =>
  during(event, 'code', async () => {
    ask(await sendAgain())
  }),
)

at('change').addEventListener('click', () => {
  sessionStorage.removeItem(SAVED)
  show('number')
  at('phone').focus()
})

async function begin() {
  try {
    const answer = await fetch('session')
    return await answer.json()
  } catch {
    at('phone-error').textContent = 'This page could not be loaded. Load it again.'
    throw new Error('no session')
  }
}

async function sendAgain() {
  try {
    return await client.verifications.resend(verification.id)
  } catch (error) {
    // By its time, or by too many wrong codes.
    if (error.code !== 'verification_ended') throw error
    return client.verifications.start({ to: verification.to, nonce: session.nonce })
  }
}

/** Hands the proof to the backend of this page, which alone decides what it is worth. */
async function send(proof) {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch('phone', { method: 'POST', headers, body: JSON.stringify({ proof }) })
  if (!answer.ok) throw new Error('The number could not be saved.')
  return answer.json()
}

/** Asks for the code of a verification. */
function ask(next) {
  if (next.status !== 'pending') {
    show('number')
    return complain('phone', TEXTS.blocked)
  }
  verification = next
  sessionStorage.setItem(SAVED, next.id)
  at('sent').textContent = `We sent a code to ${next.to}.`
  at('code').value = ''
  show('check')
  at('code').focus()
  countDown()
}

/** By the server's clock, for that of a device may be minutes off. */
function countDown() {
  const left = Math.ceil((Date.parse(verification.resend_at) - client.now()) / 1000)
  at('resend').disabled = left > 0
  at('resend').textContent = left > 0 ? `Send again in ${left} s` : 'Send again'
  if (left > 0) setTimeout(countDown, 1000)
}

function finish({ phone }) {
  sessionStorage.removeItem(SAVED)
  show()
  at('done').textContent = `${phone} is verified.`
}

/** Shows one form, or none. A form that is not shown takes no part in anything. */
function show(id) {
  for (const form of document.forms) {
    form.hidden = form.id !== id
    form.elements[0].disabled = form.id !== id
  }
}

/** Does one thing at a time, and says at a field what went wrong. */
function during(event, field, work) {
  event.preventDefault()
  if (isBusy) return
  isBusy = true
  complain(field, '')
  work()
    .catch((error) => complain(field, isCountersignError(error) ? textOf(error) : error.message))
    .finally(() => {
      isBusy = false
    })
}

function complain(field, text) {
  at(`${field}-error`).textContent = text
  at(field).ariaInvalid = String(text !== '')
  if (text !== '') at(field).focus()
}

const TEXTS = {
  invalid_phone: 'This is no phone number. Does it begin with + and the country code?',
  blocked: 'No code can be sent to this number.',
  expired: 'This code is too old. Have a new one sent.',
  locked: 'This code is not good any more. Have a new one sent.',
  offline: 'You are offline.',
  network: 'The server cannot be reached. Try again.',
  timeout: 'That took too long. Try again.',
}

function textOf({ code, retryAfter }) {
  if (code === 'rate_limited')
    return `Too many tries. Try again in ${Math.ceil((retryAfter ?? 60) / 60)} min.`
  return TEXTS[code] ?? 'That did not work. Try again.'
}

function refusal({ reason, checks_left: left }) {
  if (reason === 'wrong_code' && left > 0) return `That is not the code. Tries left: ${left}.`
  return reason === 'expired' ? TEXTS.expired : TEXTS.locked
}

// Chrome on Android hands the code over by itself, where the message ends with this page's domain.
async function fillIn() {
  const { code } = await navigator.credentials.get({ otp: { transport: ['sms'] } })
  at('code').value = code
  at('check').requestSubmit()
}

show('number')
const saved = sessionStorage.getItem(SAVED)
if (session.phone) finish(session)
else if (saved) {
  const found = await client.verifications.get(saved).catch(() => undefined)
  if (found?.status === 'pending') ask(found)
}
if ('OTPCredential' in window) fillIn().catch(() => {})
