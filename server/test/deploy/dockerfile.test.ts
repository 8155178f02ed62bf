import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { endProcesses, ServerProcess } from '../helpers/process.ts'
import { DEPLOY, read } from './files.ts'

type Lock = {
  readonly packages: Readonly<Record<string, { version?: string; dev?: boolean; hasInstallScript?: boolean }>>
}

const dockerfile = read('deploy/Dockerfile')
const lock = JSON.parse(read('package-lock.json')) as Lock
const instructions = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name}\\s+(.*(?:\\\\\\n.*)*)`, 'gm'))].map(([, rest]) => rest ?? '')

afterAll(endProcesses)

describe('Dockerfile', () => {
  test('the Node is the one that the tests run on', () => {
    const [major, minor] = (lock.packages['node_modules/node']?.version ?? '').split('.')
    expect(instructions('ARG')).toContain(`NODE_VERSION=${major}.${minor}`)
    for (const from of instructions('FROM')) expect(from).toMatch(/^(node:\$\{NODE_VERSION\}-slim|source)\b/)
  })

  test('no package that the server needs has an install script, which the build would leave out', () => {
    const scripted = Object.entries(lock.packages).filter(
      ([, { hasInstallScript, dev }]) => hasInstallScript === true && dev !== true,
    )
    expect(scripted.map(([path]) => path)).toEqual([])
  })

  test('every workspace is there when the packages are installed', () => {
    const { workspaces } = JSON.parse(read('package.json')) as { workspaces: readonly string[] }
    for (const workspace of workspaces) expect(dockerfile).toContain(`COPY ${workspace}/package.json`)
  })

  test('what is copied from here exists, and .dockerignore lets it through', () => {
    const allowed = new Set(
      read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    )
    const sources = instructions('COPY')
      .filter((rest) => !rest.startsWith('--from'))
      .flatMap((rest) => rest.split(/\s+/).slice(0, -1))
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      expect(existsSync(join(DEPLOY, '..', source)), source).toBe(true)
      expect(allowed, source).toContain(source)
    }
  })

  test('no .env, no data and no secret gets into the image: only what is named does', () => {
    const lines = read('.dockerignore').split('\n')
    expect(lines.find((line) => line !== '' && !line.startsWith('#'))).toBe('*')
    expect(lines.filter((line) => /^!.*(env|data|secret)/.test(line))).toEqual([])
  })

  test('runs the command line of the package, not as root, and declares no volume', () => {
    const { bin } = JSON.parse(read('server/package.json')) as { bin: { countersign: string } }
    const entry = JSON.parse(instructions('ENTRYPOINT')[0] ?? '[]') as readonly string[]
    expect(entry.at(-1)).toBe(join('/app/server', bin.countersign))
    // The same young generation as `npm start`.
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } }
    for (const flag of entry.filter((word) => word.startsWith('--'))) expect(scripts.start).toContain(flag)
    expect(instructions('USER')).toEqual(['1000:1000'])
    // Railway refuses an image that has one.
    expect(instructions('VOLUME')).toEqual([])
  })
})

describe('healthcheck.mjs', () => {
  /** The exit code of the check, and how long it took. */
  function check(env: Record<string, string>): Promise<{ code: number; ms: number }> {
    const from = performance.now()
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [join(DEPLOY, 'healthcheck.mjs')], { env })
      child.once('exit', (code) => resolve({ code: code ?? -1, ms: performance.now() - from }))
    })
  }

  test('is 0 while the server answers, and 1 once it is gone', async () => {
    const server = await ServerProcess.start()
    expect(await check({ PORT: String(server.port), HOST: '0.0.0.0' })).toMatchObject({ code: 0 })
    await server.kill()
    expect(await check({ PORT: String(server.port) })).toMatchObject({ code: 1 })
  })

  test('is 1 for another status, and for no answer within the three seconds that Docker gives it', async () => {
    let status: number | undefined = 500
    const server = createServer((_request, answer) => {
      if (status !== undefined) answer.writeHead(status).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const env = { PORT: String((server.address() as AddressInfo).port) }
    expect(await check(env)).toMatchObject({ code: 1 })
    status = undefined
    const silent = await check(env)
    expect(silent.code).toBe(1)
    expect(silent.ms).toBeLessThan(3_000)
    server.closeAllConnections()
    server.close()
  })
})
