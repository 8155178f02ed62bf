/** Why a token is not believed. A code is never renamed. */
export type TokenErrorCode =
  /** It is not as Countersign writes tokens: form, algorithm, header, claims. */
  | 'malformed'
  | 'bad_signature'
  /** The server publishes no key of that name. */
  | 'unknown_key'
  /** It is another kind of token: a proof in the place of an access token, or the other way round. */
  | 'wrong_type'
  | 'expired'
  | 'not_yet_valid'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'wrong_purpose'
  | 'wrong_nonce'
  | 'wrong_phone'
  /** A proof that came before. */
  | 'already_used'
  /** The token is good and does not do here: the person has to show more of who they are, or to show it again. */
  | 'step_up_required'
  /** The server's keys could not be read: nobody can tell whether the token is good. Try again later. */
  | 'keys_unavailable'

/** A token that is not believed. Holds nothing of the token. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode

  constructor(code: TokenErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
