import { withUser } from 'countersign/verify-token'
import { verify } from '../../../lib/countersign'

export const GET = withUser(verify, (_request: Request, { sub, sid, amr }) =>
  // Whoever starts a verification with this nonce makes a proof that is good in this session alone.
  Response.json({ user: sub, amr, nonce: sid }),
)
