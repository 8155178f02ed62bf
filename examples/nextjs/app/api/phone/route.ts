import { TokenError, withUser } from 'countersign/verify-token'
import { verify } from '../../../lib/countersign'

export const POST = withUser(verify, async (request: Request, { sub: user, sid }) => {
  const body: { proof?: string } | null = await request.json().catch(() => null)
  try {
    const { sub: phone } = await verify.proof(body?.proof ?? '', { purpose: 'phone_change', nonce: sid })
    // Here the number would be written to the user.
    return Response.json({ user, phone })
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    return Response.json({ code: error.code }, { status: error.code === 'keys_unavailable' ? 503 : 400 })
  }
})
