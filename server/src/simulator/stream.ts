import type { IncomingMessage, ServerResponse } from 'node:http'
import { itemJson } from './item-json.ts'
import type { Item, Phones } from './phones.ts'

const LISTENERS_MAX = 50
const HEARTBEAT_MS = 15_000
/** Under load a page is told ten times a second, and of the newest only: nobody reads more. */
const PACE_MS = 100
const AT_ONCE_MAX = 200
/** A reader this far behind is gone or stuck; it reads everything again when it comes back. */
const BEHIND_MAX = 1_048_576

/** The server-sent events of the page: what came or changed, in lists of JSON. */
export class Stream {
  readonly #phones: Phones
  readonly #open = new Set<ServerResponse>()
  readonly #news = new Map<string, Item>()
  #pace: NodeJS.Timeout | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #leave: (() => void) | undefined

  constructor(phones: Phones) {
    this.#phones = phones
  }

  /** Lets a page listen; false when there are too many. */
  add(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#open.size >= LISTENERS_MAX) return false
    request.socket.setTimeout(0)
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    response.write('retry: 2000\n\n')
    this.#open.add(response)
    // Nothing is gathered while nobody listens.
    this.#leave ??= this.#phones.subscribe((item) => this.#gather(item))
    this.#heartbeat ??= setInterval(() => this.#write(': alive\n\n'), HEARTBEAT_MS).unref()
    response.once('close', () => {
      this.#open.delete(response)
      if (this.#open.size === 0) this.#rest()
    })
    return true
  }

  /** Says that the pages should read something again: all that came, or the settings. */
  announce(what: 'refresh' | 'settings'): void {
    if (what === 'refresh') this.#news.clear()
    this.#write(`event: ${what}\ndata: {}\n\n`)
  }

  close(): void {
    for (const response of this.#open) response.end()
    this.#rest()
  }

  #gather(item: Item): void {
    // What is known keeps its place, so that a list is in the order in which things came.
    this.#news.set(item.sid, item)
    if (this.#news.size > AT_ONCE_MAX) {
      const [oldest] = this.#news.keys()
      if (oldest !== undefined) this.#news.delete(oldest)
    }
    this.#pace ??= setTimeout(() => {
      this.#pace = undefined
      const items = [...this.#news.values()].map(itemJson)
      this.#news.clear()
      if (items.length > 0) this.#write(`data: ${JSON.stringify(items)}\n\n`)
    }, PACE_MS).unref()
  }

  #write(text: string): void {
    for (const response of this.#open) {
      if (response.writableLength > BEHIND_MAX) response.destroy()
      else response.write(text)
    }
  }

  #rest(): void {
    clearTimeout(this.#pace)
    clearInterval(this.#heartbeat)
    this.#leave?.()
    this.#news.clear()
    this.#pace = this.#heartbeat = this.#leave = undefined
  }
}
