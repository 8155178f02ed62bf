import { takeOrTell } from '../limits/refusal.ts'
import { isFinal } from '../messaging/outcomes.ts'
import { NO_PROVIDER, type RetakenSend, type Send } from '../messaging/store.ts'
import { type CodeDelivery, destinationOf } from './code-delivery.ts'
import { codeOf, type VerifyDeps } from './deps.ts'
import type { Verification } from './verification.ts'

/** A send whose process has died this often is given up: it may be what kills them. */
const TURNS_MAX = 3
/** How long word of a send whose answer was lost is waited for, where there is any to come. */
const AWAIT_SECONDS = 5

/**
 * Finishes what was begun and did not come to its end: sends that a process left when it died, sends whose answer was
 * lost, and messages that a provider took and did not get through. The same code goes out again, by another provider
 * where the first one had its chance, and never more than once for one reason.
 */
export class LostSends {
  readonly #deps: VerifyDeps
  readonly #delivery: CodeDelivery

  constructor(deps: VerifyDeps, delivery: CodeDelivery) {
    this.#deps = deps
    this.#delivery = delivery
  }

  /** Takes over what is due, at most so many; resolves with how many there were. */
  async retake(limit: number): Promise<number> {
    const sends = await this.#deps.messenger.retake(limit)
    await Promise.all(sends.map((send) => this.#finish(send)))
    return sends.length
  }

  async #finish(send: RetakenSend): Promise<void> {
    const { messenger, store, settings } = this.#deps
    const verification = send.owner.startsWith('ver_') ? await store.find(send.owner) : undefined
    // The text of a backend's own message is not kept, so nobody can send it again; a decoy is never sent.
    const isNothing = send.provider === NO_PROVIDER
    if (verification?.status !== 'pending' || isNothing || settings.testNumbers.has(verification.to)) {
      return messenger.giveUp(send)
    }
    switch (send.status) {
      case 'sending':
        return this.#abandoned(send, verification)
      case 'unknown':
        return this.#unanswered(send, verification)
      case 'accepted':
      case 'sent':
      case 'undelivered':
        return this.#undelivered(send, verification)
      default:
        return messenger.giveUp(send)
    }
  }

  /** Its process died before or after the provider took it: it is sent once more, unless the provider knows it. */
  async #abandoned(send: RetakenSend, verification: Verification): Promise<void> {
    const { messenger } = this.#deps
    if (send.fence > TURNS_MAX) return messenger.giveUp(send)
    const code = codeOf(this.#deps, verification)
    const sent = { ...verification, channel: send.channel }
    const earlier = await messenger.sendsOf(verification.id)
    const found = await messenger.lookUp(send, await this.#delivery.textOf(sent, code, earlier))
    if (found === true) return
    const outgoing = { code, earlier, planned: send, fence: send.fence, taken: undefined, opened: false }
    // What it comes to is in the store: nobody waits for this answer.
    await this.#delivery.deliver({ ...outgoing, verification: sent }).catch(() => {})
  }

  /** The provider may have taken it: it is asked, else word is waited for, and then one more message goes out. */
  async #unanswered(send: RetakenSend, verification: Verification): Promise<void> {
    const { messenger } = this.#deps
    const earlier = await messenger.sendsOf(verification.id)
    const sent = { ...verification, channel: send.channel }
    const text = await this.#delivery.textOf(sent, codeOf(this.#deps, verification), earlier)
    const found = await messenger.lookUp(send, text)
    if (found === true) return
    const isFirstTurn = send.fence === 2
    if (found === 'unknown' && messenger.tells(send) && isFirstTurn) {
      return messenger.await(send, AWAIT_SECONDS)
    }
    const sends = await messenger.sendsOf(verification.id)
    const isSecond = ofSameRequest(sends, send).some(
      ({ id, status }) => id !== send.id && status === 'unknown',
    )
    if (isSecond) return messenger.giveUp(send)
    return this.#another(send, verification, sends)
  }

  /** A receipt says that it did not arrive, or there has been no receipt for longer than is usual. */
  async #undelivered(send: RetakenSend, verification: Verification): Promise<void> {
    const { messenger, settings } = this.#deps
    if (isFinal(send.error) || !settings.confirms(verification.service)) return messenger.giveUp(send)
    return this.#another(send, verification, await messenger.sendsOf(verification.id))
  }

  /** Sends the code once more, by somebody who has not tried, if the verification and the number's limits allow it. */
  async #another(send: RetakenSend, verification: Verification, sends: readonly Send[]): Promise<void> {
    const { messenger, store, counters, rules } = this.#deps
    // Somebody has asked for it again meanwhile, or this was done by a process that died before it could say so.
    const isFollowed = sends.findIndex(({ id }) => id === send.id) < sends.length - 1
    const planned = isFollowed ? undefined : this.#planAnother(send, verification, sends)
    if (planned === undefined) return messenger.giveUp(send)
    // An undelivered message counts on the number as any other; only the wait after it is spared.
    const counted = rules.send(verification.to, verification.sends, NOBODY).map((counter) => ({
      ...counter,
      rules: counter.rules.filter(({ name }) => name !== rules.waitName),
    }))
    const taken = await takeOrTell(counters, counted)
    if (!taken.ok) return messenger.giveUp(send)
    const again = await store.resend(verification.id, {
      channel: planned.channel,
      cooldownSeconds: rules.cooldownSeconds(verification.sends + 1),
      send: planned,
      early: true,
    })
    await messenger.giveUp(send)
    if (again.refused) return
    const outgoing = { code: codeOf(this.#deps, verification), earlier: sends, planned, taken, opened: false }
    await this.#delivery.deliver({ ...outgoing, verification: again.verification }).catch(() => {})
  }

  #planAnother(send: Send, verification: Verification, sends: readonly Send[]) {
    const { messenger, settings } = this.#deps
    const tried = ofSameRequest(sends, send)
    const ofChannel = { ...verification, channel: send.channel }
    const fallbacks = this.#delivery.otherChannels(ofChannel, settings.failoverChannels)
    const channels = send.error === 'wrong_channel' ? fallbacks : [send.channel, ...fallbacks]
    for (const channel of channels) {
      const triedByIt = tried.filter((one) => one.channel === channel)
      const planned = messenger.planAnother(destinationOf(verification, channel), triedByIt, sends)
      if (planned) return planned
    }
    return undefined
  }
}

const NOBODY = { service: '', publishable: false }

/** The sends that one start or resend led to: those since somebody last asked. */
function ofSameRequest(sends: readonly Send[], send: Send): readonly Send[] {
  const at = sends.findIndex(({ id }) => id === send.id)
  const isAskedFor = ({ cause }: Send) => cause === 'start' || cause === 'resend'
  const from = sends.slice(0, at + 1).findLastIndex(isAskedFor)
  const to = sends.slice(at + 1).findIndex(isAskedFor)
  return sends.slice(Math.max(0, from), to < 0 ? sends.length : at + 1 + to)
}
