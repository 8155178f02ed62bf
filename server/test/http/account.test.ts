import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync, gzipSync, brotliCompressSync } from 'node:zlib'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { buildWeb } from '../../../scripts/build-web.ts'
import { readConfig, type EnvironmentVariables } from '../../src/config.ts'
import { BACKGROUNDS } from '../../src/http/account/brand.ts'
import { contrastOf, paletteOf } from '../../src/http/account/colours.ts'
import { registerPages } from '../../src/http/account/pages.ts'
import { readReturnTo } from '../../src/http/account/return-to.ts'
import { ACCOUNT_PAGES, registerAccount } from '../../src/http/account/routes.ts'
import { isFromThisMachine } from '../../src/http/dev/this-machine.ts'
import { errorHeaders, toCountersignError, toProblem } from '../../src/http/errors.ts'
import type { HttpSettings } from '../../src/http/services.ts'
import { makeTempDir, startServer } from '../helpers/server.ts'

const SCRIPT = `console.log(${JSON.stringify('x'.repeat(500))})`
const PAGE_NAMES = Object.keys(ACCOUNT_PAGES)

/** A folder as the build leaves it, with one script that all pages share. */
function builtFolder(): string {
  const folder = makeTempDir()
  mkdirSync(join(folder, '.vite'))
  mkdirSync(join(folder, 'assets'))
  const page = (name: string) => [
    `src/pages/${name}.tsx`,
    { file: `assets/${name}-Bbbb.js`, imports: ['_shared.js'], css: [`assets/${name}-Cccc.css`] },
  ]
  const manifest = {
    ...Object.fromEntries(PAGE_NAMES.map(page)),
    'src/account.tsx': {
      file: 'assets/account-Aaaa.js',
      imports: ['_shared.js'],
      css: ['assets/account-Aaaa.css'],
    },
    '_shared.js': { file: 'assets/shared-Dddd.js', css: ['assets/shared-Dddd.css'] },
  }
  writeFileSync(join(folder, '.vite/manifest.json'), JSON.stringify(manifest))
  const path = join(folder, 'assets/account-Aaaa.js')
  writeFileSync(path, SCRIPT)
  writeFileSync(`${path}.br`, brotliCompressSync(SCRIPT))
  writeFileSync(`${path}.gz`, gzipSync(SCRIPT))
  return folder
}

function makeApp(env: EnvironmentVariables = {}, folder = builtFolder()) {
  const config = readConfig(env)
  const settings = {
    ...config.http,
    devMode: config.dev.mode,
    brand: config.account.brand,
    account: { password_length: 8, code_length: 6, second_factor: 'offered', second_factor_sms: 'allowed' },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that these routes read
  } as unknown as HttpSettings
  const app = fastify().withTypeProvider<TypeBoxTypeProvider>()
  app.setErrorHandler((thrown, request, reply) => {
    const error = toCountersignError(thrown)
    const problem = toProblem(error, request.id)
    return reply.code(problem.status).headers(errorHeaders(error)).send(JSON.stringify(problem))
  })
  registerAccount(app, { settings }, registerPages(app, settings.brand, folder))
  onTestFinished(() => app.close())
  return {
    get: (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers }),
  }
}

/** What a page tells its scripts. */
function dataOf(body: string): Record<string, unknown> {
  const json = /<script type="application\/json" id="data">(.*)<\/script>/.exec(body)?.[1] ?? '{}'
  return JSON.parse(json) as Record<string, unknown>
}

describe('the account pages', () => {
  test.each(PAGE_NAMES)(
    '%s: under a policy without exceptions, never stored, with all that it needs',
    async (name) => {
      const answer = await makeApp().get(`/account/${name}`)
      expect(answer.statusCode).toBe(200)
      expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
      expect(answer.headers['cache-control']).toBe('no-store')
      expect(answer.headers['cross-origin-opener-policy']).toBe('same-origin')
      expect(answer.headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      )
      const { body } = answer
      expect(body).toContain('<script type="module" src="/account/assets/account-Aaaa.js"></script>')
      for (const file of [`${name}-Bbbb.js`, 'shared-Dddd.js'])
        expect(body).toContain(`<link rel="modulepreload" href="/account/assets/${file}">`)
      const styles = [...body.matchAll(/rel="stylesheet" href="\/account\/(?:assets\/)?([^"?]+)/g)].map(
        ([, file]) => file,
      )
      expect(styles).toEqual(['shared-Dddd.css', 'account-Aaaa.css', `${name}-Cccc.css`, 'brand.css'])
      // Nothing that the policy would refuse, and nothing from elsewhere.
      expect(body).not.toMatch(/<style|\sstyle=|\son\w+=|https?:/)
      expect(body.match(/<script[^>]*>/g)).toEqual([
        '<script type="module" src="/account/assets/account-Aaaa.js">',
        '<script type="application/json" id="data">',
      ])
    },
  )

  test('say whether somebody seems to be signed in, so that nobody is asked for nothing', async () => {
    const { get } = makeApp()
    const told = async (cookie: string) =>
      dataOf((await get('/account/settings', { cookie })).body)['has_session']
    expect(await told('a=b; __Host-countersign_refresh=rt_1')).toBe(true)
    expect(await told('__Host-countersign_refresh=')).toBe(false)
    expect(await told('countersign_refresh=rt_1')).toBe(false)
  })

  test('/account leads to the settings', async () => {
    const { get } = makeApp()
    for (const path of ['/account', '/account/']) {
      const answer = await get(path)
      expect([answer.statusCode, answer.headers['location']]).toEqual([302, '/account/settings'])
    }
    expect((await get('/account/nowhere')).statusCode).toBe(404)
  })

  test('say so where they were not built, and the server goes on', async () => {
    const { get } = makeApp({}, makeTempDir())
    const answer = await get('/account/sign-in')
    expect(answer.statusCode).toBe(404)
    expect(answer.body).toContain('npm run build:web')
    expect((await get('/account/assets/account-Aaaa.js')).statusCode).toBe(404)
    expect((await get('/account/logo')).statusCode).toBe(200)
  })

  test('are served by the whole server with the headers of every answer, and not where they are turned off', async () => {
    const server = await startServer({ settings: { ACCOUNT_PAGES: 'true' } })
    const page = await server.app.inject({ url: '/account/sign-in' })
    expect(page.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    const off = await startServer({ settings: { ACCOUNT_PAGES: 'false', DEV_MODE: 'false' } })
    for (const path of ['/account', '/account/sign-in', '/account/brand.css'])
      expect((await off.app.inject({ url: path })).statusCode).toBe(404)
  })
})

describe('the files of the pages', () => {
  const path = '/account/assets/account-Aaaa.js'

  test.each([
    ['br, gzip', 'br', brotliDecompressSync],
    ['gzip, deflate', 'gzip', gunzipSync],
    ['gzip;q=1.0, br;q=0', 'gzip', gunzipSync],
    ['identity', undefined, (bytes: Buffer) => bytes],
    ['', undefined, (bytes: Buffer) => bytes],
  ])('to who accepts %j as %s, for good', async (accepted, encoding, decode) => {
    const answer = await makeApp().get(path, { 'accept-encoding': accepted })
    expect(answer.headers['content-encoding']).toBe(encoding)
    expect(decode(answer.rawPayload).toString()).toBe(SCRIPT)
    expect(answer.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
      vary: 'accept-encoding',
    })
  })

  test('are not sent again to who has them', async () => {
    const { get } = makeApp()
    const etag = String((await get(path)).headers['etag'])
    for (const known of [etag, `"other", ${etag}`, etag.replace('W/', '')]) {
      const answer = await get(path, { 'if-none-match': known })
      expect([answer.statusCode, answer.body, answer.headers['etag']]).toEqual([304, '', etag])
    }
    expect((await get(path, { 'if-none-match': '"other"' })).statusCode).toBe(200)
  })

  test.each([
    'manifest.json',
    '..%2f.vite%2fmanifest.json',
    'account-Aaaa.js.br',
    '%2e%2e%2fx',
    'constructor',
    '.',
  ])('%s is none of them', async (name) =>
    expect((await makeApp().get(`/account/assets/${name}`)).statusCode).toBeGreaterThanOrEqual(400),
  )
})

describe('the brand', () => {
  test('is on the page, as text, and its links at the foot', async () => {
    const { get } = makeApp({
      BRAND_NAME: '</script><b>Acme & Söhne',
      BRAND_SUPPORT_URL: 'https://acme.example/help',
      BRAND_TERMS_URL: 'https://acme.example/terms',
      BRAND_PRIVACY_URL: 'https://acme.example/privacy',
    })
    const { body } = await get('/account/sign-in')
    expect(body).toContain('<title>Sign in · &lt;/script&gt;&lt;b&gt;Acme &amp; Söhne</title>')
    expect(body).not.toContain('<b>')
    expect(dataOf(body)).toMatchObject({
      brand: {
        name: '</script><b>Acme & Söhne',
        support: 'https://acme.example/help',
        terms: 'https://acme.example/terms',
        privacy: 'https://acme.example/privacy',
      },
    })
    expect(dataOf((await makeApp({ SERVICE_NAME: 'Acme' }).get('/account/sign-in')).body)).toMatchObject({
      brand: { name: 'Acme' },
      password_length: 8,
      dev_mode: false,
      has_session: false,
      return_to: null,
    })
  })

  test('has a logo from a file, as a picture that can do nothing', async () => {
    const file = join(makeTempDir(), 'logo.svg')
    writeFileSync(file, '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    const { get } = makeApp({ BRAND_LOGO: file })
    const page = await get('/account/sign-in')
    const { logo: url } = dataOf(page.body)['brand'] as { logo: string }
    expect(url).toMatch(/^\/account\/logo\?v=\S{12}$/)
    const logo = await get(url)
    expect(logo.headers).toMatchObject({
      'content-type': 'image/svg+xml',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    })
    expect((await get('/account/logo')).headers['cache-control']).toBe('no-cache')
    expect((await get(url, { 'if-none-match': String(logo.headers['etag']) })).statusCode).toBe(304)
    expect(page.headers['content-security-policy']).toContain("img-src 'self' data:;")
  })

  test.each([
    ['https://cdn.example.com/a/logo.svg?x=1', "img-src 'self' data: https://cdn.example.com/a/logo.svg;"],
    ['data:image/png;base64,iVBORw0KGgo=', "img-src 'self' data:;"],
  ])('has the logo %s, and the policy admits nothing else', async (BRAND_LOGO, source) => {
    const page = await makeApp({ BRAND_LOGO }).get('/account/sign-in')
    expect(page.headers['content-security-policy']).toContain(source)
    expect(dataOf(page.body)).toMatchObject({ brand: { logo: BRAND_LOGO } })
  })

  test.each([
    { BRAND_LOGO: 'http://cdn.example.com/logo.svg' },
    { BRAND_LOGO: "https://cdn.example.com/logo.svg; script-src 'unsafe-inline'" },
    { BRAND_LOGO: 'https://user:secret@cdn.example.com/logo.svg' },
    { BRAND_LOGO: 'javascript:alert(1)//.svg' },
    { BRAND_LOGO: 'data:text/html,<script>' },
    { BRAND_LOGO: '/nowhere/logo.svg' },
    { BRAND_LOGO: '/etc/passwd' },
    { BRAND_ACCENT: 'red' },
    { BRAND_ACCENT: '#12345' },
    { BRAND_ACCENT: '#123456;}' },
    { BRAND_SUPPORT_URL: 'javascript:alert(1)' },
    { BRAND_NAME: 'a'.repeat(65) },
    { BRAND_NAME: 'Ac\u202eme' },
  ])('refuses %j', (env) => {
    expect(() => readConfig(env)).toThrow(Object.keys(env)[0])
  })

  test.each(['#0b6b5b', '#ffd400', '#000000', '#ffffff', '#ff0000', '#767676', '#1d4ed8', '#7fffd4'])(
    '%s is read on, and as, text',
    async (accent) => {
      for (const background of [BACKGROUNDS.light, BACKGROUNDS.dark]) {
        const palette = paletteOf(accent, background)
        expect(contrastOf(palette.accent, palette.onAccent)).toBeGreaterThanOrEqual(4.5)
        expect(contrastOf(palette.link, background)).toBeGreaterThanOrEqual(4.5)
      }
      const { get } = makeApp({ BRAND_ACCENT: accent.toUpperCase() })
      const { body } = await get('/account/brand.css')
      expect(body).toContain(`--brand-accent:${accent};`)
      expect((await get('/account/logo')).body).toContain(`fill="${accent}"`)
    },
  )

  test('takes the colour as it is where it can be read', () => {
    expect(paletteOf('#0b6b5b', '#ffffff')).toEqual({
      accent: '#0b6b5b',
      onAccent: '#ffffff',
      link: '#0b6b5b',
    })
    expect(contrastOf('#000000', '#ffffff')).toBeCloseTo(21)
  })
})

describe('where people are sent back to', () => {
  const places = { publicUrl: 'https://verify.example.com', corsOrigins: ['https://app.example.com'] }

  test.each([
    ['/account/settings', '/account/settings'],
    ['/a?b=c#d', '/a?b=c#d'],
    ['https://verify.example.com/a', 'https://verify.example.com/a'],
    ['https://app.example.com', 'https://app.example.com/'],
    ['https://app.example.com/welcome?next=%2F', 'https://app.example.com/welcome?next=%2F'],
    ['HTTPS://APP.example.com:443/x', 'https://app.example.com/x'],
  ])('%s is allowed', (text, url) => expect(readReturnTo(places, text)).toBe(url))

  test.each([
    '',
    'https://evil.example',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' https://evil.example',
    'https:evil.example',
    'https:/evil.example',
    'http://app.example.com',
    'https://app.example.com.evil.example',
    'https://app.example.com@evil.example',
    'https://user@app.example.com/',
    'https://evil.example#https://app.example.com',
    'https://evil.example?https://app.example.com',
    'https://app.example.com:8443',
    'https://sub.app.example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    'javascript://app.example.com/%0aalert(1)',
    'account/settings',
    'evil.example',
    '/..//evil.example',
    '/.//evil.example',
    '/%09/evil.example/..//evil.example',
    `/${'a'.repeat(2_001)}`,
    'https://аpp.example.com',
  ])('%j is not', (text) => {
    const url = readReturnTo(places, text)
    // Whatever is let through must stay where it is allowed, as a browser resolves it.
    if (url !== undefined)
      expect(['https://verify.example.com', 'https://app.example.com']).toContain(
        new URL(url, places.publicUrl).origin,
      )
    if (!text.startsWith('/%09')) expect(url).toBeUndefined()
  })

  test('nobody is named by a wildcard; and a page is told only of what is allowed', async () => {
    expect(readReturnTo({ ...places, corsOrigins: '*' }, 'https://app.example.com')).toBeUndefined()
    const { get } = makeApp({ PUBLIC_URL: places.publicUrl, CORS_ORIGINS: 'https://app.example.com' })
    const told = async (query: string) => dataOf((await get(`/account/sign-in?${query}`)).body)['return_to']
    expect(await told('return_to=https://app.example.com/x')).toBe('https://app.example.com/x')
    expect(await told('return_to=//evil.example')).toBeNull()
    expect(await told('return_to=/a&return_to=//evil.example')).toBeNull()
    expect(await told('return_to=%2F%5Cevil.example')).toBeNull()
    expect(await told('other=1')).toBeNull()
  })
})

describe('who is shown the secret key', () => {
  beforeAll(() => buildWeb())

  const asks = (remoteAddress: string, headers: Record<string, string>) =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that is looked at
    isFromThisMachine({ socket: { remoteAddress }, headers } as unknown as Parameters<
      typeof isFromThisMachine
    >[0])

  test('this machine, without anything between', () => {
    expect(asks('127.0.0.1', { host: 'localhost:8080' })).toBe(true)
    expect(asks('::1', { host: '[::1]:8080' })).toBe(true)
    expect(asks('::ffff:127.0.0.1', { host: '127.0.0.1' })).toBe(true)
    for (const [address, headers] of [
      ['192.0.2.1', { host: 'localhost' }],
      ['127.0.0.1', { host: 'tunnel.example' }],
      ['127.0.0.1', { host: 'localhost.evil.example' }],
      ['127.0.0.1', { host: 'localhost', 'x-forwarded-for': '192.0.2.1' }],
      ['127.0.0.1', { host: 'localhost', forwarded: 'for=192.0.2.1' }],
      ['127.0.0.1', { host: 'localhost', via: '1.1 proxy' }],
      ['127.0.0.1', {}],
    ] as const)
      expect(asks(address, headers), JSON.stringify(headers)).toBe(false)
  })

  test('one that was made for development, and never one that was given', async () => {
    const get = async (settings: EnvironmentVariables) => {
      const server = await startServer({ settings, dataDir: makeTempDir() })
      const page = await server.app.inject({ url: '/', headers: { host: 'localhost' } })
      return { data: dataOf(page.body), made: server.countersign.devKeys }
    }
    const given = await get({})
    expect(given.data).toMatchObject({
      publishable_key: expect.stringMatching(/^pk_countersign/),
      secret_key: null,
    })
    const { data, made } = await get({ API_KEYS: '', DATA_DIR: makeTempDir() })
    expect(data).toMatchObject({ publishable_key: made?.publishable, secret_key: made?.secret })
    expect(made?.secret).toMatch(/^sk_/)
  })
})
