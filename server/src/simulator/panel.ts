import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json, type Answer } from './answers.ts'
import type { Carrier } from './carrier.ts'
import { one, readForm } from './form.ts'
import { itemJson } from './item-json.ts'
import { MAGIC } from './magic.ts'
import { pagePolicy, simulatorPage } from './page.ts'
import type { Item } from './phones.ts'
import { SettingsError } from './settings.ts'
import { Stream } from './stream.ts'
import { write } from './writing.ts'

const LIST_USUAL = 100
const LIST_MAX = 1_000
const WAIT_MAX_MS = 30_000

/** What a request to the panel asks. */
export type PanelRequest = { readonly path: string; readonly query: string; readonly body: string }

/** The page with the phones, and the JSON behind it: what came, the settings, and a reset. */
export class Panel {
  readonly #carrier: Carrier
  readonly #stream: Stream

  constructor(carrier: Carrier) {
    this.#carrier = carrier
    this.#stream = new Stream(carrier.phones)
    carrier.onReset(() => this.#stream.announce('refresh'))
    carrier.onChange(() => this.#stream.announce('settings'))
  }

  /** Whether a path is the panel's and not an interface's. */
  isOf(path: string): boolean {
    return path === '/' || path.startsWith('/simulator')
  }

  handle(request: IncomingMessage, response: ServerResponse, asked: PanelRequest): void {
    const what = `${request.method} ${asked.path}`
    if (what === 'GET /simulator/events') {
      if (!this.#stream.add(request, response))
        write(response, json(429, { message: 'Too many pages are open' }))
    } else if (what === 'GET /simulator/messages') {
      void this.#messages(asked.query).then((answer) => write(response, answer))
    } else write(response, this.#answer(what, asked.body))
  }

  close(): void {
    this.#stream.close()
  }

  #answer(what: string, body: string): Answer {
    switch (what) {
      case 'GET /':
        return page(this.#carrier)
      case 'GET /simulator/settings':
        return json(200, this.#carrier.settings)
      case 'PUT /simulator/settings':
        return this.#change(body)
      case 'POST /simulator/reset':
        this.#carrier.reset()
        return { status: 204 }
      case 'GET /simulator/magic':
        return json(200, { data: [...MAGIC].map(([ending, { does }]) => ({ ending, does })) })
      default:
        return json(404, { message: 'Nothing is here; see docs/simulator.md' })
    }
  }

  #change(body: string): Answer {
    try {
      return json(200, this.#carrier.change(JSON.parse(body)))
    } catch (error) {
      if (error instanceof SyntaxError) return json(400, { message: 'The body is not JSON' })
      if (error instanceof SettingsError) return json(400, { message: error.message })
      throw error
    }
  }

  /** What came, newest first. With `wait_ms` the answer waits for the first to come. */
  async #messages(query: string): Promise<Answer> {
    const asked = readForm(query)
    // A plus sign that was not encoded arrives as a space.
    const number = one(asked, 'to')?.replace(/^[+ ]?/, '+')
    const limit = Number(one(asked, 'limit') ?? LIST_USUAL)
    const waitMs = Number(one(asked, 'wait_ms') ?? 0)
    if (!isWhole(limit, 1, LIST_MAX)) return json(400, { message: `limit: 1–${LIST_MAX}` })
    if (!isWhole(waitMs, 0, WAIT_MAX_MS)) return json(400, { message: `wait_ms: 0–${WAIT_MAX_MS}` })
    const { phones } = this.#carrier
    const is = (item: Item) => number === undefined || item.number === number
    const list = () => phones.list({ to: number, limit })
    if (waitMs > 0 && list().length === 0) await phones.until(is, waitMs).catch(() => undefined)
    return json(200, { data: list().map(itemJson) })
  }
}

function page({ account, sender }: Carrier): Answer {
  const nonce = randomBytes(16).toString('base64url')
  return {
    status: 200,
    body: simulatorPage({ nonce, account, sender }),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': pagePolicy(nonce),
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  }
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}
