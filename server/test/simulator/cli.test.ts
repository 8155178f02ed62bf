import { type ChildProcess, spawn } from 'node:child_process'
import { afterAll, describe, expect, test } from 'vitest'
import { countersign, endAll, makeFolder, MAIN } from '../cli/cli.ts'
import { running } from '../helpers/scratch.ts'

const folder = makeFolder()
afterAll(endAll)

/** Starts `countersign simulate` and waits for what it prints. */
async function start(
  args: readonly string[],
): Promise<{ child: ChildProcess; printed: string; url: string }> {
  const child = spawn(process.execPath, [MAIN, 'simulate', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let printed = ''
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    printed += chunk.toString()
    const url = /is up at (\S+)/.exec(printed)?.[1]
    if (url !== undefined && printed.includes('docs/simulator.md')) return { child, printed, url }
  }
  throw new Error('it ended')
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve))
}

describe('countersign simulate', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'prints what to paste, serves, and stops on %s',
    async (signal) => {
      const { child, printed, url } = await start([
        '--port',
        '0',
        '--latency-ms',
        '1',
        '--settings',
        '{"seed":5}',
      ])
      const env = Object.fromEntries(
        [...printed.matchAll(/^ +([A-Z_]+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
      )
      expect(env).toEqual({
        SMS_PROVIDER: 'twilio',
        TWILIO_ACCOUNT_SID: 'AC00000000000000000000000000004010',
        TWILIO_AUTH_TOKEN: 'simulated-auth-token',
        TWILIO_PHONE_NUMBER: '+15005550006',
        TWILIO_BASE_URL: url,
      })
      expect(await (await fetch(`${url}/simulator/settings`)).json()).toMatchObject({
        latency_ms: 1,
        seed: 5,
      })
      // A page that listens must not keep it up.
      const stream = await fetch(`${url}/simulator/events`)
      const end = ended(child)
      child.kill(signal)
      expect(await end).toBe(0)
      await stream.text().catch(() => '')
    },
  )

  test('takes an account of its own', async () => {
    const sid = `AC${'7'.repeat(32)}`
    const { child, printed, url } = await start([
      '--port=0',
      `--account-sid=${sid}`,
      '--auth-token=t',
      '--numbers=any',
    ])
    expect(printed).toContain(`TWILIO_ACCOUNT_SID=${sid}`)
    const headers = { authorization: `Basic ${btoa(`${sid}:t`)}` }
    const body = new URLSearchParams({ To: '+14155552671', From: '+447911123456', Body: 'x' })
    const path = `${url}/2010-04-01/Accounts/${sid}/Messages.json`
    expect((await fetch(path, { method: 'POST', headers, body })).status).toBe(201)
    const end = ended(child)
    child.kill('SIGTERM')
    await end
  })

  test.each([
    [['--port', 'x'], '--port is a whole number'],
    [['--account-sid', 'AC1'], '--account-sid is AC'],
    [['--settings', '{'], '--settings is not JSON'],
    [['--settings', '{"outage":"x"}'], 'outage: none, refuse, hang, reset'],
    [['--latency-ms', '70000', '--port', '0'], 'latency_ms: a whole number'],
    [['--numbers', '', '--port', '0'], '--numbers'],
  ])('refuses %j in one line', async (args, words) => {
    const { code, stderr } = await countersign(['simulate', ...args], { cwd: folder })
    expect(code).toBe(1)
    expect(stderr).toContain(words)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('says which port is in use', async () => {
    const { child, url } = await start(['--port', '0'])
    const { port } = new URL(url)
    const { code, stderr } = await countersign(['simulate', '--port', port], { cwd: folder })
    expect(code).toBe(1)
    expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`)
    const end = ended(child)
    child.kill('SIGTERM')
    await end
  })
})
