import { connect } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { endProcesses, numberOf, ServerProcess } from '../helpers/process.ts'
import { FuzzRequests, type OpenApi } from './fuzz-requests.ts'

const LONG = process.env['TEST_LONG'] === '1'
const REQUESTS = LONG ? 2_000_000 : 25_000
const SEED = Number(process.env['FUZZ_SEED'] ?? (LONG ? Date.now() % 2 ** 31 : 20_260_115))
const CONNECTIONS = 8
const BATCH = 50
const SILENCE_MS = 20_000
/** How long a broken end of a batch may go without an answer: half a request is answered when its time is over. */
const BROKEN_MS = 30

afterAll(endProcesses)

/** What a batch of requests on one connection came to: the status of each that was answered, in order. */
type Batch = { readonly statuses: readonly number[]; readonly isSilent: boolean }

/**
 * Writes requests one behind the other on one connection and reads the status lines that come back, until each is
 * answered or the server hangs up. The kept tail joins a status line that two packets share.
 */
function send(port: number, bytes: Buffer, count: number, isBroken: boolean): Promise<Batch> {
  return new Promise((resolve) => {
    const statuses: number[] = []
    const socket = connect({ port, host: '127.0.0.1' })
    let tail = ''
    const end = (isSilent: boolean) => {
      socket.destroy()
      resolve({ statuses, isSilent })
    }
    socket.setTimeout(SILENCE_MS, () => end(true))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.on('data', (chunk) => {
      const text = tail + chunk.toString('latin1')
      const seen = text.lastIndexOf('HTTP/1.1 ')
      for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3})/g)) {
        if (status !== '100') statuses.push(Number(status))
      }
      tail = seen >= 0 && text.length - seen < 12 ? text.slice(seen) : text.slice(-8)
      if (statuses.length >= count) end(false)
      else if (isBroken && statuses.length === count - 1) socket.setTimeout(BROKEN_MS)
    })
    socket.write(bytes)
    if (isBroken && count === 1) socket.setTimeout(BROKEN_MS)
  })
}

async function residentBytes(server: ServerProcess): Promise<number> {
  const { text } = await server.call('GET', '/metrics')
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1])
}

const mean = (of: readonly number[]) => of.reduce((sum, each) => sum + each, 0) / of.length

test(
  `R88: ${REQUESTS} hostile requests (seed ${SEED}): no 5xx, no crash, no leak, every log line one line of JSON`,
  { timeout: LONG ? 3_600_000 : 180_000 },
  async () => {
    // What is tested is what it answers, not how soon that is on the disk.
    const server = await ServerProcess.start({ settings: { SQLITE_SYNCHRONOUS: 'normal' } })
    const ids: string[] = []
    for (let n = 0; n < 200; n++) ids.push((await server.start(numberOf(4_000_000 + n))).body.id ?? '')
    const message = await server.call('POST', '/v1/messages', { body: { to: numberOf(0), body: 'hello' } })
    ids.push(message.body.id ?? '', 'ver_none', 'msg_none')
    const api = JSON.parse((await server.call('GET', '/openapi.json')).text) as OpenApi
    const requests = new FuzzRequests(SEED, api, ids)

    const counts: Record<number, number> = {}
    const failures: string[] = []
    const memory: number[] = []
    let answered = 0
    const work = async () => {
      while (answered < REQUESTS && failures.length < 20) {
        const batch = []
        while (batch.length < BATCH) {
          const request = requests.next()
          batch.push(request)
          if (request.last) break
        }
        const { statuses, isSilent } = await send(
          server.port,
          Buffer.concat(batch.map(({ bytes }) => bytes)),
          batch.length,
          batch.at(-1)?.last === true,
        )
        for (const [at, status] of statuses.entries()) {
          counts[status] = (counts[status] ?? 0) + 1
          if (status >= 500)
            failures.push(`${status} for ${batch[at]?.bytes.toString('latin1').slice(0, 2_000)}`)
        }
        const unanswered = batch[statuses.length]
        if (isSilent && unanswered && !unanswered.last) {
          failures.push(`no answer to ${unanswered.bytes.toString('latin1').slice(0, 2_000)}`)
        }
        const before = answered
        answered += statuses.length
        if (Math.floor((before * 40) / REQUESTS) !== Math.floor((answered * 40) / REQUESTS)) {
          memory.push(await residentBytes(server))
        }
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, work))

    const seed = `FUZZ_SEED=${SEED}`
    expect(failures, seed).toEqual([])
    // It did reach the handlers, and met most of what they can say.
    const good = Object.entries(counts).reduce(
      (sum, [status, count]) => sum + (Number(status) < 300 ? count : 0),
      0,
    )
    expect(good / answered, seed).toBeGreaterThan(0.05)
    for (const status of [200, 201, 202, 400, 401, 403, 404, 409, 413, 415, 422, 429, 431]) {
      expect(counts[status] ?? 0, `${seed}: answers ${status}`).toBeGreaterThan(0)
    }
    const quarter = Math.floor(memory.length / 4)
    const second = mean(memory.slice(quarter, 2 * quarter))
    const last = mean(memory.slice(-quarter))
    expect(
      last / second,
      `${seed}: memory ${memory.map((bytes) => Math.round(bytes / 1e6)).join(' ')} MB`,
    ).toBeLessThan(1.25)

    expect((await server.call('GET', '/readyz')).status).toBe(200)
    const exit = await server.stop()
    expect(exit, seed).toMatchObject({ code: 0 })
    // No connection was left behind that would hold it.
    expect(exit.ms, seed).toBeLessThan(4_000)
    expect(server.stderr, seed).toBe('')
    const lines = server.stdout.split('\n').filter((line) => line !== '')
    const firstRequest = lines.findIndex((line) => line.includes('"msg":"request"'))
    const notJson = lines.slice(firstRequest).filter((line) => !isRecord(line))
    expect(notJson, seed).toEqual([])
    expect(lines.length - firstRequest).toBeGreaterThan(answered * 0.9)
    // Forged lines would be records too: none is of another shape than ours.
    expect(
      lines.filter((line) => line.includes('forged')),
      seed,
    ).toEqual([])
    // Nor is a control character anywhere, escaped or not.
    expect(
      lines.slice(firstRequest).filter((line) => /[\u0000-\u001f\u007f]|\\u00[01]/.test(line)),
      seed,
    ).toEqual([])
  },
)

function isRecord(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'level' in value
  } catch {
    return false
  }
}
