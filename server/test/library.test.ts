import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VERSION } from '../src/version.ts'

const ROOT = join(import.meta.dirname, '../..')
const MODULES = join(ROOT, 'node_modules')
const PACK_MS = 120_000

const folder = mkdtempSync(join(tmpdir(), 'countersign-library-'))
/** A project that has installed the tarball, and nothing else. */
const app = join(folder, 'app')
const installed = join(app, 'node_modules/countersign')
let files: string[] = []

/** Packs a copy of the repository, so that no other test and no leftover of a build gets in the way, and installs it. */
beforeAll(() => {
  const copy = join(folder, 'copy')
  mkdirSync(join(copy, 'server'), { recursive: true })
  for (const path of [
    'package.json',
    'tsconfig.json',
    'README.md',
    'LICENSE',
    'server/package.json',
    'server/tsconfig.build.json',
    'server/src',
    'package-lock.json',
    'client/package.json',
    'client/src',
    'react/package.json',
    'react/src',
    'scripts/build-web.ts',
    'web/package.json',
    'web/tsconfig.json',
    'web/vite.config.ts',
    'web/src',
  ])
    cpSync(join(ROOT, path), join(copy, path), { recursive: true })
  symlinkSync(MODULES, join(copy, 'node_modules'))
  mkdirSync(join(copy, 'server/dist'))
  writeFileSync(join(copy, 'server/dist/left-over.js'), '')
  // README's own command; scripts must run even where somebody's npm is told not to.
  run('npm', ['pack', '-w', 'countersign', '--ignore-scripts=false', '--silent'], copy)
  const tarball = join(copy, `countersign-${VERSION}.tgz`)
  files = run('tar', ['tzf', tarball], copy).trim().split('\n').sort()

  mkdirSync(installed, { recursive: true })
  run('tar', ['xzf', tarball, '--strip-components=1', '-C', installed], app)
  const { dependencies, bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    bin: { countersign: string }
  }
  // What it says it needs and nothing besides: an import that nobody declared fails here. @types/node is for TypeScript.
  for (const name of [...Object.keys(dependencies), '@types/node']) link(name)
  mkdirSync(join(app, 'node_modules/.bin'))
  symlinkSync(join('../countersign', bin.countersign), join(app, 'node_modules/.bin/countersign'))
}, PACK_MS)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function link(name: string): void {
  const path = join(app, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(MODULES, name), path)
}

/** Runs a program to its end and gives what it printed; throws with everything it said when it fails. */
function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, HOME: folder, ...env },
  })
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stdout}${stderr}`, { cause: error })
  return stdout
}

/** The README's example of the library. */
function readmeExample(): string {
  const blocks = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)
  const example = [...blocks].map(([, code = '']) => code).find((code) => code.includes(`from 'countersign'`))
  if (example === undefined) throw new Error('the README has no example of the library')
  return example
}

/** A line put behind the one that begins so. */
function after(source: string, beginning: string, line: string): string {
  const lines = source.split('\n')
  const at = lines.findIndex((each) => each.startsWith(beginning))
  if (at < 0) throw new Error(`the example has no line that begins with ${beginning}`)
  return lines.toSpliced(at + 1, 0, line).join('\n')
}

describe('the tarball', () => {
  test('holds the compiled server with its types, README and LICENSE, and nothing else', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'package/LICENSE',
        'package/README.md',
        'package/dist/cli/main.js',
        'package/dist/index.d.ts',
        'package/dist/index.js',
        'package/dist/verify-token/index.d.ts',
        'package/dist/verify-token/index.js',
        'package/package.json',
      ]),
    )
    const pages = files.filter((file) => file.startsWith('package/dist/web/'))
    expect(pages).toEqual(
      expect.arrayContaining([
        'package/dist/web/.vite/manifest.json',
        expect.stringMatching(/\/assets\/account-[\w-]+\.js\.br$/),
        expect.stringMatching(/\/assets\/settings-[\w-]+\.js$/),
      ]),
    )
    const compiled = files.filter((file) => !pages.includes(file))
    const others = compiled.filter((file) => !/^package\/dist\/.+(?:\.js|\.d\.ts)$/.test(file))
    expect(others).toEqual([
      'package/LICENSE',
      'package/README.md',
      'package/dist/auth/common-passwords.txt',
      'package/package.json',
    ])
    // The licences of the lists that it was put together from want to go along.
    const reader = readFileSync(join(installed, 'dist/auth/common-passwords.js'), 'utf8')
    expect(reader).toContain('Permission is hereby granted')
    expect(reader).toContain('Redistribution and use in source and binary forms')
    expect(files).not.toContain('package/dist/left-over.js')
    for (const file of ['README.md', 'LICENSE'])
      expect(readFileSync(join(installed, file), 'utf8')).toBe(readFileSync(join(ROOT, file), 'utf8'))
  })

  test('refuses a common password, by the list that it brings', () => {
    writeFileSync(
      join(app, 'password.mjs'),
      `import { passwordFault } from './node_modules/countersign/dist/auth/password-rules.js'
       console.log(passwordFault('Password1', { about: [] }), passwordFault('hX4!qz7w', { about: [] }))`,
    )
    expect(run(process.execPath, ['password.mjs'], app)).toBe('common undefined\n')
  })

  test('serves the account pages that it brings', () => {
    writeFileSync(
      join(app, 'pages.mjs'),
      `import { createCountersign } from 'countersign'
       const countersign = await createCountersign({ DATABASE_URL: 'sqlite::memory:', SECRET_KEY: 's'.repeat(40) })
       const http = await countersign.http()
       const page = await http.inject('/account/sign-in')
       const [, script] = /src="([^"]+)"/.exec(page.body) ?? []
       console.log(page.statusCode, (await http.inject(script)).statusCode)
       await http.close()
       await countersign.close()`,
    )
    expect(run(process.execPath, ['pages.mjs'], app)).toBe('200 200\n')
  })

  test('has a command that can be run as it lies', () => {
    const main = join(installed, 'dist/cli/main.js')
    accessSync(main, constants.X_OK)
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env .*\bnode\b/)
    const bin = join(app, 'node_modules/.bin/countersign')
    expect(run(bin, ['--version'], app)).toBe(`${VERSION}\n`)
    expect(run(bin, ['--help'], app)).toContain(
      'USAGE countersign serve|migrate|move|keys|services|doctor|send|check|simulate\n',
    )
    expect(run(bin, ['migrate'], app, { DATABASE_URL: 'sqlite:cli.db' })).toMatch(/^schema 0 → \d+\n$/)
  })
})

describe('the README’s example', () => {
  test('as plain JavaScript it verifies a number, and the process ends by itself', () => {
    const asked = after(readmeExample(), 'const text =', `const code = /\\d{6}/.exec(text)[0]`)
    writeFileSync(
      join(app, 'example.mjs'),
      `const secret = 'library-tests-secret-of-32-characters-or-more'\n${asked}
       console.log(JSON.stringify({ text, valid, reason, proof }))\n`,
    )
    // The environment is not read: this one would be refused.
    const printed = run(process.execPath, ['example.mjs'], app, {
      CODE_LENGTH: 'none',
      NODE_ENV: 'production',
    })
    const answer = JSON.parse(printed) as { text: string; proof: string }
    expect(answer).toMatchObject({ valid: true, reason: 'approved' })
    expect(answer.text).toMatch(/\b\d{6}\b/)
    const [, payload = ''] = answer.proof.split('.')
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      sub: '+14155552671',
      purpose: 'login',
    })
  })

  test('in strict TypeScript it has types, which refuse what is wrong', () => {
    writeFileSync(
      join(app, 'consumer.mts'),
      `declare const secret: string, code: string
      import { ConfigError, CountersignError, type Countersign, type Overrides, type Provider } from 'countersign'
      ${readmeExample()}
      const given: string | undefined = text
      const proved: string | undefined = proof
      const right: boolean = valid
      if (reason === 'locked') console.log(given, proved, right)
      const provider: Provider = {
        name: 'mine',
        channels: ['sms'],
        send: async ({ to, body }) =>
          to === '' ? { ok: false, why: 'bad_number' } : { ok: true, ref: body },
        probe: async () => ({ ok: true, detail: '' }),
      }
      const overrides: Overrides = { providers: [provider] }
      const other: Countersign = await createCountersign({}, overrides)
      await other.close()
      export const codes = (error: unknown): readonly string[] =>
        error instanceof ConfigError
          ? error.problems.map(({ key, problem }) => key + problem)
          : error instanceof CountersignError && error.code === 'rate_limited' ? [error.detail] : []
      // @ts-expect-error There is no such purpose.
      await other.verify.start({ to: '+14155552671', purpose: 'fun' })
      // @ts-expect-error Settings are texts.
      await createCountersign({ CODE_LENGTH: 6 })
      // @ts-expect-error There is no such reason.
      if (reason === 'fine') console.log(reason)`,
    )
    const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess']
    const target = ['--target', 'es2024', '--module', 'nodenext', '--types', 'node']
    // Its own types are checked as well: `skipLibCheck` stays off.
    run(join(MODULES, '.bin/tsc'), [...options, ...target, 'consumer.mts'], app)
  })

  test('settings that cannot be served reject with the exported ConfigError, which names each', () => {
    writeFileSync(
      join(app, 'refused.mjs'),
      `import { ConfigError, createCountersign } from 'countersign'
       const error = await createCountersign({ CODE_LENGTH: '3', PORT: 'x' }).catch((error) => error)
       console.log(error instanceof ConfigError, error.problems.map(({ key }) => key).join())`,
    )
    expect(run(process.execPath, ['refused.mjs'], app)).toBe('true PORT,CODE_LENGTH\n')
  })
})

describe('countersign/verify-token', () => {
  test('imports nothing of the server and no package: it runs where nothing else is installed', () => {
    const bare = join(folder, 'bare/node_modules/countersign')
    cpSync(join(installed, 'dist/verify-token'), join(bare, 'dist/verify-token'), { recursive: true })
    cpSync(join(installed, 'package.json'), join(bare, 'package.json'))
    writeFileSync(
      join(folder, 'bare/verify.mjs'),
      `import { makeTokenVerifier } from 'countersign/verify-token'
       const error = await makeTokenVerifier({ url: 'https://auth.example.com' })
         .accessToken('eyJhbGciOiJub25lIn0.e30.')
         .catch((error) => error)
       console.log(error.name, error.code)`,
    )
    expect(run(process.execPath, ['verify.mjs'], join(folder, 'bare'))).toBe('TokenError malformed\n')
  })

  test('in strict TypeScript it has types, which refuse what is wrong', () => {
    writeFileSync(
      join(app, 'verify.mts'),
      `import { createServer } from 'node:http'
      import Fastify from 'fastify'
      import {
        makeTokenVerifier, requireUser, requireUserHook, seenInMemory, TokenError, userOf, withUser,
        type AccessClaims, type AccessExpectations, type ProofClaims, type TokenErrorCode, type TokenVerifier,
      } from 'countersign/verify-token'
      const verify: TokenVerifier = makeTokenVerifier({ url: 'https://auth.example.com', seen: seenInMemory() })
      export const user: AccessClaims = await verify.accessToken('')
      export const { sub, nonce }: ProofClaims = await verify.proof('', { purpose: 'login', nonce: 'n' })
      export const codes = (error: unknown): TokenErrorCode | undefined =>
        error instanceof TokenError ? error.code : undefined
      const guard = requireUser(verify)
      createServer((request, response) => void guard(request, response, () => response.end(userOf(request).sub)))
      const app = Fastify()
      app.get('/', { preHandler: requireUserHook(verify) }, (request) => userOf(request).amr)
      app.get('/early', { onRequest: requireUserHook(verify) }, (request) => userOf(request).amr)
      const wanted: AccessExpectations = { maxAgeSeconds: 300, amr: ['mfa'] }
      export const { auth_time }: AccessClaims = await verify.accessToken('', wanted)
      export const strict = [
        requireUser(verify, wanted), requireUserHook(verify, wanted),
        withUser(verify, (_request: Request, user) => Response.json(user), wanted),
      ]
      type Context = { params: Promise<{ id: string }> }
      export const GET: (request: Request, context: Context) => Promise<Response> =
        withUser(verify, async (_request: Request, user, { params }: Context) => Response.json([user.sub, await params]))
      // @ts-expect-error A proof is checked for a purpose.
      await verify.proof('', {})
      // @ts-expect-error What may be missing is no nonce.
      await verify.proof('', { purpose: 'login', nonce })
      // @ts-expect-error It is a number of seconds.
      requireUser(verify, { maxAgeSeconds: '300' })
      // @ts-expect-error There is no such expectation.
      await verify.accessToken('', { maxAge: 300 })
      // @ts-expect-error What may be missing is no age.
      await verify.accessToken('', { maxAgeSeconds: wanted.maxAgeSeconds })
      // @ts-expect-error There is no server without an address.
      makeTokenVerifier({})
      // @ts-expect-error There is no such code.
      if (codes(1) === 'fine') console.log('fine')`,
    )
    const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess']
    const target = ['--target', 'es2024', '--module', 'nodenext', '--types', 'node', '--skipLibCheck']
    run(join(MODULES, '.bin/tsc'), [...options, ...target, 'verify.mts'], app)
  })
})
