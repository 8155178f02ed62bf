import type { Calls, CheckedVerification, Tokens, SecondFactorRequired, Verification } from './wire.ts'

/** How a message travels. */
export type Channel = Verification['channel']
/** What a verification is for. */
export type Purpose = Verification['purpose']
/** What a check came to. */
export type Reason = CheckedVerification['reason']
/** A second factor, as it is shown. */
export type Factor = SecondFactorRequired['factors'][number]
/** What is known of a number without asking anybody. */
export type PhoneLookup = Calls['POST /v1/phones/lookup']['answer']
/** A sign-in that is done. The client keeps the tokens by itself. */
export type SignedIn = Tokens & { status: 'signed_in' }
/** What a sign-in comes to: done, or a second factor is asked for. */
export type SignInResult = SignedIn | SecondFactorRequired
