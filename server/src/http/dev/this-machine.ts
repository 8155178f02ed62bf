import type { FastifyRequest } from 'fastify'

const LOOPBACK = /^(?:::1|(?:::ffff:)?127\.\d+\.\d+\.\d+)$/
const LOCAL_NAME = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i

/**
 * Whether somebody on this machine asks: a connection over loopback, to a local name, with no proxy between. A tunnel
 * connects over loopback too, but asks for another name or says whom it stands for.
 */
export function isFromThisMachine({ socket, headers }: FastifyRequest): boolean {
  const isForwarded = Object.keys(headers).some((name) => name === 'via' || /^(?:x-)?forwarded/.test(name))
  return !isForwarded && LOOPBACK.test(socket.remoteAddress ?? '') && LOCAL_NAME.test(headers.host ?? '')
}
