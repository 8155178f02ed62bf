// The face of `countersign/verify-token`. It runs on Node 20 and imports nothing of the server, nor any package.
export type { AccessClaims, ProofClaims } from './claims.ts'
export { requireUser, requireUserHook, userOf, withUser } from './guards.ts'
export { bearerOf } from './refusal.ts'
export { seenInMemory } from './seen-in-memory.ts'
export type { AccessExpectations } from './step-up.ts'
export { TokenError, type TokenErrorCode } from './token-error.ts'
export {
  makeTokenVerifier,
  type ProofExpectations,
  type Seen,
  type TokenVerifier,
  type TokenVerifierOptions,
} from './verifier.ts'
