import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** An explicit refusal that must never be put to the same vendor again. */
export const REFUSALS = ['bad_number', 'opted_out', 'wrong_channel', 'blocked', 'misconfigured'] as const

/** Answers that mean the vendor may hold the message, though nothing says so. */
export const GARBLED = [
  'html',
  'cut',
  'huge',
  'empty',
  'wrong_id',
  'drip',
  'silent',
  'reset',
  'gateway',
] as const

/** What the vendor's server does with every request that follows, until told otherwise. */
export type Scenario =
  | 'accepted'
  | (typeof REFUSALS)[number]
  /** 429 with `Retry-After: 1`. */
  | 'throttled'
  /** As `throttled`, once; then as `accepted`. */
  | 'throttled_once'
  /** 429 with `Retry-After: 3600`. */
  | 'throttled_long'
  /** The vendor's own 500. */
  | 'error'
  /** The vendor's own 503. */
  | 'unavailable'
  | 'redirect'
  | 'slow'
  | (typeof GARBLED)[number]

/** Something every vendor text must hold and nothing of ours may: it shows that text leaks. */
export const VENDOR_TEXT = 'VENDOR-TEXT'

/** One answer in the vendor's dialect. */
export type Answer = { status: number; headers: Record<string, string>; body: string }

/**
 * Plays the scenarios that are the same for every vendor, with the vendor's own acceptance as the material.
 * Returns false for a scenario that only the vendor can play.
 */
export function misbehave(
  res: ServerResponse,
  scenario: Scenario,
  accepted: Answer,
  elsewhere: string,
): boolean {
  const { status, headers, body } = accepted
  if (scenario === 'html') {
    res.writeHead(200, { 'content-type': 'text/html' }).end(`<html><body>${VENDOR_TEXT}</body></html>`)
  } else if (scenario === 'cut') {
    res.writeHead(status, { ...headers, 'content-length': body.length })
    res.write(body.slice(0, body.length / 2), () => setTimeout(() => res.destroy(), 20))
  } else if (scenario === 'huge') {
    void pour(res, accepted)
  } else if (scenario === 'empty') {
    res.writeHead(status, headers).end()
  } else if (scenario === 'drip') {
    drip(res, accepted)
  } else if (scenario === 'reset') {
    res.socket?.resetAndDestroy()
  } else if (scenario === 'gateway') {
    res.writeHead(504, { 'content-type': 'text/html' }).end(`<html>${VENDOR_TEXT}</html>`)
  } else if (scenario === 'redirect') {
    res.writeHead(307, { location: elsewhere }).end()
  } else if (scenario === 'slow') {
    setTimeout(() => res.writeHead(status, headers).end(body), 400)
  } else {
    return scenario === 'silent'
  }
  return true
}

/** 10 MB that begin as an acceptance does, as fast as they are read. */
async function pour(res: ServerResponse, { status, headers, body }: Answer): Promise<void> {
  res.writeHead(status, headers)
  res.write(`${body.slice(0, -1)},"padding":"`)
  const chunk = 'x'.repeat(64 * 1024)
  for (let sent = 0; sent < 160 && !res.destroyed; sent++) {
    if (!res.write(chunk)) await Promise.race([new Promise((go) => res.once('drain', go)), sleep(200)])
  }
  if (!res.destroyed) res.end('"}')
}

/** A byte now and then: each pause is short, the whole never ends. */
function drip(res: ServerResponse, { status, headers, body }: Answer): void {
  res.writeHead(status, headers)
  let at = 0
  const timer = setInterval(() => res.write(body[at++ % body.length]), 50)
  res.on('close', () => clearInterval(timer))
}

/** Listens on a free port of this machine; gives the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return portOf(server)
}

/** The port a listening server has. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}

/** A URL at which nothing listens. */
export async function deadUrl(): Promise<string> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return `http://127.0.0.1:${port}`
}
