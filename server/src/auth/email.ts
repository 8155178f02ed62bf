import { CountersignError } from '../primitives/errors.ts'
import type { User } from './user.ts'

/** RFC 5321 §4.5.3.1.3 leaves so much of a path. */
const LENGTH_MAX = 254
const SHAPE =
  /^[^\s@\u0000-\u001f\u007f]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/
/** What a user without an e-mail is called by; see {@link emailOf}. */
const SYNTHETIC = /^\+\d+@example\.com$/

/** Reads an e-mail as an identifier: in lower case, and none of those that stand for numbers. Throws `invalid_request`. */
export function readEmail(text: string): string {
  const email = text.trim().toLowerCase()
  if (email.length > LENGTH_MAX || !SHAPE.test(email) || SYNTHETIC.test(email)) {
    throw new CountersignError('invalid_request', 'email is not an e-mail address', { field: 'email' })
  }
  return email
}

/** The e-mail that a user is shown with: their own, or one made of the number, which nothing is ever sent to. */
export function emailOf({ email, phone }: Pick<User, 'email' | 'phone'>): string | null {
  return email ?? (phone === null ? null : `${phone}@example.com`)
}
