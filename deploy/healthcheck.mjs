// The image's HEALTHCHECK: the image has no curl. Exit code 0 when the process answers.
//
// It asks /healthz and not /readyz: "unhealthy" makes Swarm and the like restart a container, and no restart brings
// a lost database back. Who routes traffic asks /readyz itself.
import { get } from 'node:http'

const { PORT = '8080', HOST = '' } = process.env
const host = ['', '0.0.0.0', '::'].includes(HOST) ? '127.0.0.1' : HOST

const request = get({ host, port: PORT, path: '/healthz', timeout: 2_000 }, (answer) => {
  process.exit(answer.statusCode === 200 ? 0 : 1)
})
request.on('timeout', () => request.destroy(new Error('no answer within 2 seconds')))
request.on('error', ({ message }) => {
  process.stderr.write(`${message}\n`)
  process.exit(1)
})
