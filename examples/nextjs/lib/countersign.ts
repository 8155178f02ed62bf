import { makeTokenVerifier, seenInMemory } from 'countersign/verify-token'

const url = process.env['COUNTERSIGN_URL'] ?? 'http://localhost:8080'

/** Believes the tokens of your Countersign. It needs the Node.js runtime, not the Edge one. */
export const verify = makeTokenVerifier({
  url,
  issuer: process.env['COUNTERSIGN_ISSUER'] ?? url,
  // With several processes, and where functions come and go, a store that they share: see docs/verify-token.md.
  seen: seenInMemory(),
})
