import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterAll, describe, expect, test } from 'vitest'
import { portOf } from '../conformance/provider-faults.ts'
import { countersign, endAll, execute, makeFolder, printedKeys, serve } from './cli.ts'

const SK = 'sk_countersign_cli_tests_0123456789'
const TO = '+14155552671'
const hasCurl = ['bash', 'curl'].every((program) => spawnSync(program, ['--version']).status === 0)

afterAll(endAll)

/** The commands of the banner, as they stand in the terminal. */
function printedCommands(stdout: string): string {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .join('\n')
}

describe('serve --dev', () => {
  test('prints docs, inbox and keys that answer, and keeps the keys for the next boot', async () => {
    const cwd = makeFolder()
    const first = await serve(['--dev'], { cwd })
    const keys = printedKeys(first.stdout())
    expect(first.stdout()).toContain(`http://localhost:${first.port}/docs\n`)
    expect(first.stdout()).toContain(`http://localhost:${first.port}/dev/inbox\n`)
    for (const page of ['/docs', '/dev/inbox']) {
      expect((await fetch(first.url + page)).status, page).toBe(200)
    }
    expect((await first.call('/v1/verifications', keys.secret)).status).toBe(200)
    expect((await first.call('/v1/phones/lookup', keys.publishable, { phone: TO })).status).toBe(200)
    const [, account, token] = /Account SID +(AC\w+).*\n +Auth Token +(\w+)/.exec(first.stdout()) ?? []
    const authorization = `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}`
    expect((await first.call('/v2/Services', '', undefined, { authorization })).status).toBe(200)
    const data = join(cwd, 'data')
    for (const file of ['secret.key', 'dev-keys.json', 'dev-account.json']) {
      expect(statSync(join(data, file)).mode & 0o777, file).toBe(0o600)
    }
    // Nothing else is left behind: no drafts.
    expect(readdirSync(data).filter((file) => !file.startsWith('countersign.db'))).toEqual([
      'dev-account.json',
      'dev-keys.json',
      'secret.key',
    ])
    const secret = readFileSync(join(data, 'secret.key'), 'utf8')
    await first.stop()

    const second = await serve(['--dev'], { cwd })
    expect(printedKeys(second.stdout())).toEqual(keys)
    expect(readFileSync(join(data, 'secret.key'), 'utf8')).toBe(secret)
    await second.stop()
  })

  test('leaves to the next start what it has compiled, also when it is killed', async () => {
    const cwd = makeFolder()
    const compiled = join(cwd, 'compiled')
    const server = await serve(['--dev'], { cwd, env: { NODE_COMPILE_CACHE: compiled } })
    await server.stop('SIGKILL')
    expect(readdirSync(compiled, { recursive: true }).length).toBeGreaterThan(200)
  })

  // On an address that `localhost` is not, that name would be wrong: what is printed must follow HOST.
  test.skipIf(!hasCurl).for(process.platform === 'linux' ? ['127.0.0.1', '127.0.0.2'] : ['127.0.0.1'])(
    'the commands it prints on %s verify a number as they stand (needs bash and curl)',
    async (host) => {
      const cwd = makeFolder()
      const server = await serve(['--dev'], { cwd, env: { HOST: host } })
      writeFileSync(join(cwd, 'pasted.sh'), printedCommands(server.stdout()))
      const pasted = await execute('bash', ['pasted.sh'], { cwd })
      expect(pasted).toMatchObject({ code: 0, stderr: '' })
      expect(pasted.stdout).toContain('"valid":true,"reason":"approved"')
      expect((JSON.parse(pasted.stdout) as { proof: string }).proof).toMatch(/^ey[\w-]+\.ey[\w-]+\.[\w-]+$/)
      await server.stop()
    },
  )

  test('two that boot together on a new folder print the same keys, and no other key is live', async () => {
    const cwd = makeFolder()
    const servers = await Promise.all([serve(['--dev'], { cwd }), serve(['--dev'], { cwd })])
    const [one, other] = servers.map((server) => printedKeys(server.stdout()))
    expect(one).toEqual(other)
    const { stdout } = await countersign(['keys', 'list'], { cwd })
    // One of each kind, and an account.
    expect(stdout.match(/\tlive/g)).toHaveLength(3)
    await Promise.all(servers.map((server) => server.stop()))
  })

  test('without a secret key among API_KEYS it prints how to make one, and no command that cannot work', async () => {
    const cwd = makeFolder()
    const server = await serve(['--dev'], { cwd, env: { API_KEYS: 'pk_countersign_cli_tests_0123456789' } })
    expect(server.stdout()).toContain('countersign keys create')
    expect(printedCommands(server.stdout())).toBe('')
    await server.stop()
  })

  test('DEV_MODE=false in .env wins over --dev: no banner, no inbox, no code in an answer', async () => {
    const cwd = makeFolder()
    writeFileSync(join(cwd, '.env'), `DEV_MODE=false\nAPI_KEYS=${SK}\n`)
    const server = await serve(['--dev'], { cwd })
    expect(server.stdout()).not.toContain('Countersign is up')
    expect((await server.call('/dev/inbox/messages', SK)).status).toBe(404)
    const { status, body } = await server.call('/v1/verifications', SK, { to: TO })
    expect(status).toBe(201)
    expect(body).not.toHaveProperty('preview_code')
    await server.stop()
  })
})

describe('serve', () => {
  test('.env of the folder is read, and the environment wins over it', async () => {
    const cwd = makeFolder()
    writeFileSync(join(cwd, '.env'), `DEV_MODE=true\nAPI_KEYS=${SK}\nSERVICE_NAME=Acme\nCODE_LENGTH=7\n`)
    const server = await serve([], { cwd, env: { CODE_LENGTH: '8' } })
    expect(server.stdout()).toContain(SK)
    const { body } = await server.call('/v1/verifications', SK, { to: TO })
    expect(body.preview_code).toMatch(/^\d{8}$/)
    const inbox = await server.call('/dev/inbox/messages', SK)
    expect(inbox.body.data[0]?.body).toContain('Acme')
    await server.stop()
  })

  test('without dev mode it prints log lines alone', async () => {
    const server = await serve([], { cwd: makeFolder() })
    const { stdout, stderr } = await server.stop()
    const lines = stdout.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['listening'])
    expect(stderr).toBe('')
  })

  test.for(['SIGINT', 'SIGTERM'] as const)(
    '%s ends it with 0, and the port is free again',
    async (signal) => {
      const server = await serve(['--dev'], { cwd: makeFolder() })
      const { code, signal: killedBy, stderr } = await server.stop(signal)
      expect({ code, killedBy, stderr }).toEqual({ code: 0, killedBy: null, stderr: '' })
      await expect(fetch(server.url)).rejects.toThrow('fetch failed')
    },
  )

  test('a port in use is one line that names the port and the setting, exit code 1', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => {
      taken.listen(0, '127.0.0.1', resolve)
    })
    const port = portOf(taken)
    const { code, stdout, stderr } = await countersign(['serve', '--dev'], {
      cwd: makeFolder(),
      env: { PORT: String(port) },
    })
    taken.close()
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `Countersign cannot start: port ${port} of 127.0.0.1 is in use; set PORT to another\n`,
    })
  })

  test('an address that is not this machine’s is one line that names the setting, exit code 1', async () => {
    const { code, stderr } = await countersign(['serve'], { cwd: makeFolder(), env: { HOST: '192.0.2.1' } })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'Countersign cannot start: 192.0.2.1 is no address of this machine; set HOST to another\n',
    })
  })

  test('two servers on one SQLite file share verifications and their guesses', async () => {
    const place = { cwd: makeFolder(), env: { DEV_MODE: 'true', API_KEYS: SK } }
    const [one, other] = await Promise.all([serve([], place), serve([], place)])
    const { body: started } = await one.call('/v1/verifications', SK, { to: TO })
    const { preview_code: code = '' } = started
    const wrong = code.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10))
    const path = `/v1/verifications/${started.id}/check`
    expect((await one.call(path, SK, { code: wrong })).body.checks_left).toBe(4)
    expect((await other.call(path, SK, { code: wrong })).body.checks_left).toBe(3)
    expect((await other.call(path, SK, { code })).body).toMatchObject({ valid: true })
    expect((await one.call(path, SK, { code })).body).toMatchObject({
      valid: false,
      reason: 'already_used',
    })
    await Promise.all([one.stop(), other.stop()])
  })
})
