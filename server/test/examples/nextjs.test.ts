import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, vi } from 'vitest'
import { installNextjs } from '../../../scripts/services/nextjs.ts'
import { freePort } from '../../../scripts/services/tools.ts'
import { describeWith } from '../helpers/services.ts'
import { type Call, describeExample, type Running } from './behaviour.ts'
import { installExample } from './install.ts'
import { ISSUER, serveKeysThatFail } from './issuer.ts'

describeWith('nextjs', 'the Next.js example, built and served by Next.js', () => {
  let running: Running
  let server: ChildProcess | undefined
  const ends: (() => unknown)[] = []

  beforeAll(async () => {
    // Packages are looked for in the folders above, as in a workspace.
    const packages = await installNextjs()
    const folder = installExample('nextjs', { beneath: join(packages, 'apps') })
    // Otherwise it takes the outermost folder with a lock file for the root of the workspace, which is ours.
    const config = { turbopack: { root: packages } }
    writeFileSync(join(folder, 'next.config.mjs'), `export default ${JSON.stringify(config)}`)
    const keys = await serveKeysThatFail()
    ends.push(keys.close)
    const next = join(packages, 'node_modules/next/dist/bin/next')
    const env = { PATH: process.env['PATH'], HOME: folder, NEXT_TELEMETRY_DISABLED: '1' }
    // Checks the types too.
    execFileSync(process.execPath, [next, 'build'], { cwd: folder, env, stdio: 'pipe' })
    const port = await freePort()
    server = spawn(process.execPath, [next, 'start', '-p', String(port)], {
      cwd: folder,
      env: { ...env, COUNTERSIGN_URL: keys.url, COUNTERSIGN_ISSUER: ISSUER },
      stdio: 'ignore',
    })
    const url = `http://127.0.0.1:${port}/api`
    await vi.waitFor(() => fetch(url), { timeout: 30_000, interval: 100 })
    const call: Call = async (route, token, body = '') => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const init = route === 'me' ? { headers } : { method: 'POST', headers, body }
      const answer = await fetch(`${url}/${route}`, init)
      return { status: answer.status, headers: answer.headers, body: await answer.json() }
    }
    running = { call, keys }
  }, 180_000)

  afterAll(async () => {
    await Promise.all(ends.map((end) => end()))
    server?.kill('SIGKILL')
    if (server) await once(server, 'exit')
  })

  describeExample(() => running)
})
