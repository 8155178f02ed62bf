import type { ChallengeDetails } from '../../services/challenge.ts'
import type { ChallengeDraft } from '../../services/totp-challenges.ts'
import { TwilioRefusal } from './errors.ts'
import { readCode, readTexts } from './factor-form.ts'
import { type Form, parseTexts } from './form.ts'
import { readTime } from './times.ts'

const LIFE_SECONDS = 300
const LIFE_SECONDS_MAX = 3_600
/** By how much a caller's clock may be ahead of ours. */
const AHEAD_SECONDS = 60
const MESSAGE_CHARS = 256
const FIELDS_MAX = 20
const LABEL_CHARS = 36
const VALUE_CHARS = 128

/** Reads a new challenge. Throws 60200. */
export function readChallengeForm(form: Form, nowMs: number): ChallengeDraft {
  const code = readCode(form)
  return {
    factor: form.required('FactorSid'),
    ...(code === undefined ? {} : { code }),
    lifeSeconds: readLife(form, nowMs),
    details: readDetails(form),
    hiddenDetails: readTexts(form, 'HiddenDetails') ?? null,
  }
}

function readLife(form: Form, nowMs: number): number {
  const expiresAt = readTime(form, 'ExpirationDate')
  if (expiresAt === undefined) return LIFE_SECONDS
  const seconds = Math.ceil((expiresAt - nowMs) / 1_000)
  if (seconds <= 0 || seconds > LIFE_SECONDS_MAX + AHEAD_SECONDS)
    throw new TwilioRefusal(60200, 'ExpirationDate')
  return Math.min(seconds, LIFE_SECONDS_MAX)
}

function readDetails(form: Form): ChallengeDetails | null {
  const message = form.text('Details.Message')
  const fields = form.all('Details.Fields')
  if (message === undefined && fields.length === 0) return null
  if ((message?.length ?? 0) > MESSAGE_CHARS) throw new TwilioRefusal(60200, 'Details.Message')
  if (fields.length > FIELDS_MAX) throw new TwilioRefusal(60200, 'Details.Fields')
  return { message: message ?? null, fields: fields.map(readField) }
}

function readField(text: string): ChallengeDetails['fields'][number] {
  const { label, value } = parseTexts(text, 'Details.Fields')
  const isField = label !== undefined && label.length <= LABEL_CHARS
  if (!isField || value === undefined || value.length > VALUE_CHARS)
    throw new TwilioRefusal(60200, 'Details.Fields')
  return { label, value }
}
