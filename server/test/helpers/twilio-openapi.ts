import { expect } from 'vitest'
import { makeAnswerCheck } from '../simulator/openapi.ts'

const check = makeAnswerCheck({ isExact: true })

/**
 * Expects an answer to be as Twilio's own OpenAPI says: a status that it has for the operation, and a body with every
 * member that it has and no other. A refusal, of which it says next to nothing, has Twilio's four members. The path may be
 * an operation's (`/v2/Services/{Sid}`) or that of a request.
 */
export function expectTwilioAnswer(path: string, method: string, status: number, body: unknown): void {
  const call = `${method.toUpperCase()} ${path} ${status}`
  if (status >= 400) {
    expect(body, call).toEqual({
      code: expect.any(Number) as number,
      message: expect.stringMatching(/./) as string,
      more_info: expect.stringMatching(/^https:\/\/www\.twilio\.com\/docs\/errors\/\d{5}$/) as string,
      status,
    })
    return
  }
  if (status === 204) expect(body ?? '', call).toBe('')
  expect(check(method, path, status, body), `${call}: ${JSON.stringify(body)}`).toBeUndefined()
}
