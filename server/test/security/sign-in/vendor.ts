import { Worker } from 'node:worker_threads'

/** A gateway in a thread of its own, that takes 50 to 150 ms to take a message. */
const SOURCE = `
  const { createServer } = require('node:http')
  const { parentPort } = require('node:worker_threads')
  let taken = 0
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      setTimeout(() => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ ref: 'gw-' + (taken += 1) }))
      }, 50 + Math.random() * 100)
    })
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`

/** Starts one; gives the settings of a server that sends by it. */
export async function startVendor(): Promise<{
  readonly settings: Readonly<Record<string, string>>
  end(): Promise<unknown>
}> {
  const worker = new Worker(SOURCE, { eval: true })
  const port = await new Promise<number>((resolve) => {
    worker.once('message', resolve)
  })
  return {
    settings: {
      SMS_PROVIDER: 'webhook',
      WEBHOOK_URL: `http://127.0.0.1:${port}/send`,
      WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      WEBHOOK_ALLOW_PRIVATE: 'true',
    },
    end: () => worker.terminate(),
  }
}
