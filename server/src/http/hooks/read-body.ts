import type { IncomingMessage } from 'node:http'
import { CountersignError } from '../../primitives/errors.ts'

/** The largest body of a callback, in bytes. */
export const BODY_MAX = 65_536

/** The refusal of a body that is too large. */
export function bodyTooLarge(): CountersignError {
  return new CountersignError('payload_too_large', 'The body is larger than 64 KB')
}

/**
 * Reads a body as the bytes it came in, since a signature is over them. Rejects with `payload_too_large` or
 * `request_timeout` as soon as that is sure, and reads nothing from there on; the connection is then of no more use.
 */
export function readBody(raw: IncomingMessage, withinMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const settle = (end: () => void) => {
      clearTimeout(timer)
      raw.off('data', onData).off('end', onEnd).off('close', onClose)
      end()
    }
    const fail = (error: CountersignError) =>
      settle(() => {
        raw.pause()
        reject(error)
      })
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > BODY_MAX) fail(bodyTooLarge())
      else chunks.push(chunk)
    }
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)))
    // Nobody is left to hear this.
    const onClose = () =>
      settle(() => reject(new CountersignError('invalid_request', 'The body ended early')))
    const timer = setTimeout(
      () =>
        settle(() =>
          reject(new CountersignError('request_timeout', 'The body did not arrive whole in time')),
        ),
      withinMs,
    )
    raw.on('data', onData).on('end', onEnd).on('close', onClose)
    // Aborted by the caller; `close` follows.
    raw.on('error', () => {})
  })
}
