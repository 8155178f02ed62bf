import { showAccount } from './accounts.ts'
import { Numbers } from './addresses.ts'
import type { Answer } from './answers.ts'
import { CallsApi } from './calls.ts'
import type { Carrier } from './carrier.ts'
import { Fates } from './fates.ts'
import { readForm, type Form } from './form.ts'
import { MessagesApi } from './messages.ts'
import { Refusal } from './refusals.ts'
import { VerifyApi } from './verify.ts'

const OF_2010 =
  /^\/2010-04-01\/Accounts\/([^/.]+)(?:\/(Messages|Calls)(?:\/([^/.]+)(?:\/(Feedback))?)?)?\.json$/
const OF_VERIFY = /^\/v2\/Services(?:\/([^/]+)(?:\/(Verifications|VerificationCheck)(?:\/([^/]+))?)?)?$/

/** A request of somebody who may make it. */
export type ApiRequest = {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly form: Form
}

/** Gives the answer to every request of the interfaces that are simulated. @throws Refusal or Diverted. */
export function makeRoutes(carrier: Carrier): (request: ApiRequest) => Answer {
  const fates = new Fates(carrier)
  const numbers = new Numbers()
  const messages = new MessagesApi(carrier, fates, numbers)
  const calls = new CallsApi(carrier, fates, numbers)
  const verify = new VerifyApi(carrier, fates, numbers)

  function of2010(
    { method, query, form }: ApiRequest,
    [, , kind, sid, part]: RegExpExecArray,
  ): Answer | undefined {
    if (kind === undefined) return method === 'GET' ? showAccount(carrier.account) : undefined
    if (part !== undefined) {
      return method === 'POST' && kind === 'Messages' ? messages.feedback(sid ?? '', form) : undefined
    }
    const api = kind === 'Messages' ? messages : calls
    if (sid === undefined) {
      if (method === 'POST') return api.create(form)
      return method === 'GET' ? api.list(readForm(query)) : undefined
    }
    if (method === 'GET') return api.fetch(sid)
    if (method === 'POST') return api.update(sid, form)
    return method === 'DELETE' ? api.delete(sid) : undefined
  }

  function ofVerify(
    { method, form }: ApiRequest,
    [, service, kind, sid]: RegExpExecArray,
  ): Answer | undefined {
    const isPost = method === 'POST'
    if (service === undefined) return isPost ? verify.services.create(form) : undefined
    if (kind === undefined) {
      if (isPost) return verify.services.update(service, form)
      return method === 'GET' ? verify.services.fetch(service) : undefined
    }
    if (kind === 'VerificationCheck') {
      return isPost && sid === undefined ? verify.check(service, form) : undefined
    }
    if (sid === undefined) return isPost ? verify.create(service, form) : undefined
    if (isPost) return verify.update(service, sid, form)
    return method === 'GET' ? verify.fetch(service, sid) : undefined
  }

  return (request) => {
    const found = OF_2010.exec(request.path)
    const foundVerify = found === null ? OF_VERIFY.exec(request.path) : null
    if ((found === null && foundVerify === null) || (found !== null && found[1] !== carrier.account.sid)) {
      throw new Refusal(20404, request.path)
    }
    const answer = found === null ? foundVerify && ofVerify(request, foundVerify) : of2010(request, found)
    if (!answer) throw new Refusal(20004)
    return answer
  }
}
