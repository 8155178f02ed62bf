import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import type { Provider } from '../../src/messaging/provider.ts'
import { portOf } from '../conformance/provider-faults.ts'

/**
 * A broken twin of the hook, as OpenClaw had it (CVE-2026-28465): the address that the signature is checked over is
 * made of what the caller says it was. Gives its port.
 */
export async function startHostTrustingHook(provider: Provider): Promise<number> {
  const server = createServer((request, response) => {
    void (async () => {
      const { headers, url = '', method = '' } = request
      const first = (name: string) => [headers[name]].flat()[0]
      const protocol = first('x-forwarded-proto') ?? 'http'
      const host = first('x-forwarded-host') ?? first('host') ?? ''
      const told = provider.receipts?.({
        method,
        url: `${protocol}://${host}${url}`,
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        body: await buffer(request),
        at: 0,
      })
      response.writeHead(told === undefined || 'refused' in told ? 403 : 204).end()
    })()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.close().closeAllConnections())
  return portOf(server)
}
