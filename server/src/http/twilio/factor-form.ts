import { fromBase32, type TotpRules } from '../../primitives/totp.ts'
import type { TotpSettings } from '../../services/service.ts'
import type { FactorChange, FactorDraft } from '../../services/totp-factors.ts'
import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'

const NAME_CHARS = 64
const JSON_CHARS = 1_024
/** 80 bits is the least that apps have been given; 512 fill a block of the digest. */
const SECRET_BYTES_MIN = 10
const SECRET_BYTES_MAX = 64

/** Reads a new factor; what it does not say of its codes the service does. Throws 60200, 60204. */
export function readFactorForm(form: Form, totp: TotpSettings): FactorDraft {
  const friendlyName = readName(form.required('FriendlyName'))
  form.required('FactorType')
  if (form.word('FactorType', ['push', 'totp', 'passkeys']) !== 'totp') throw new TwilioRefusal(60204)
  const secret = form.text('Binding.Secret')
  return {
    friendlyName,
    ...(secret === undefined ? {} : { secret: readSecret(secret) }),
    rules: {
      algorithm: 'sha1',
      digits: totp.codeLength,
      periodSeconds: totp.timeStepSeconds,
      window: totp.skew,
      ...readRules(form),
    },
    metadata: readTexts(form, 'Metadata') ?? null,
  }
}

/** Reads what is to become of a factor. Throws 60200. */
export function readFactorChange(form: Form): FactorChange {
  const name = form.text('FriendlyName')
  const code = readCode(form)
  return {
    ...(name === undefined ? {} : { friendlyName: readName(form.required('FriendlyName')) }),
    rules: readRules(form),
    ...(code === undefined ? {} : { code }),
  }
}

/** The code that a request carries: 3 to 8 characters. Throws 60200. */
export function readCode(form: Form): string | undefined {
  const code = form.text('AuthPayload')
  if (code !== undefined && (code.length < 3 || code.length > 8))
    throw new TwilioRefusal(60200, 'AuthPayload')
  return code
}

/** A JSON object of texts, of at most 1,024 characters. Throws 60200. */
export function readTexts(form: Form, name: string): Readonly<Record<string, string>> | undefined {
  if ((form.text(name)?.length ?? 0) > JSON_CHARS) throw new TwilioRefusal(60200, name)
  return form.texts(name)
}

function readRules(form: Form): Partial<TotpRules> {
  const algorithm = form.word('Config.Alg', ['sha1', 'sha256', 'sha512'])
  const digits = form.integer('Config.CodeLength', 3, 8)
  const periodSeconds = form.integer('Config.TimeStep', 20, 60)
  const window = form.integer('Config.Skew', 0, 2)
  return {
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(digits === undefined ? {} : { digits }),
    ...(periodSeconds === undefined ? {} : { periodSeconds }),
    ...(window === undefined ? {} : { window }),
  }
}

function readName(name: string): string {
  if (name.length > NAME_CHARS) throw new TwilioRefusal(60200, 'FriendlyName')
  return name
}

/** A seed in base32, in either case, with padding or without, as its letters alone. */
function readSecret(text: string): string {
  const letters = text.replace(/=+$/, '').toUpperCase()
  const isBase32 = /^[A-Z2-7]{1,200}$/.test(letters) && ![1, 3, 6].includes(letters.length % 8)
  const bytes = isBase32 ? fromBase32(letters).length : 0
  if (bytes < SECRET_BYTES_MIN || bytes > SECRET_BYTES_MAX) throw new TwilioRefusal(60200, 'Binding.Secret')
  return letters
}
