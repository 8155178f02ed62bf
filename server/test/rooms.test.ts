import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

/**
 * The house rules that a compiler does not know: which room may import which, and what no room may do. The arrows
 * are those of ARCHITECTURE.md.
 */
const SRC = resolve(import.meta.dirname, '../src')

/** What each room may import besides itself and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  primitives: [],
  limits: ['primitives'],
  keys: ['primitives'],
  services: ['primitives'],
  events: ['services', 'verify', 'messaging', 'primitives'],
  messaging: ['limits', 'primitives'],
  guard: ['limits', 'primitives'],
  verify: ['guard', 'messaging', 'limits', 'primitives'],
  auth: ['verify', 'messaging', 'limits', 'primitives'],
  providers: ['messaging', 'primitives'],
  stores: ['auth', 'verify', 'messaging', 'limits', 'keys', 'guard', 'services', 'primitives'],
  http: ['auth', 'verify', 'guard', 'messaging', 'limits', 'keys', 'services', 'primitives', 'version.ts'],
  // A part of its own that backends import: it knows nothing of the server either.
  'verify-token': [],
  // A program of its own: it stands in for a vendor, and knows nothing of the server.
  simulator: ['primitives'],
  cli: [
    'simulator',
    'main.ts',
    'make-providers.ts',
    'storage.ts',
    'storage-errors.ts',
    'log.ts',
    'boot.ts',
    'config.ts',
    'config-addresses.ts',
    'version.ts',
    'stores',
    'verify',
    'keys',
    'messaging',
    'services',
    'primitives',
  ],
  'main.ts': ['*'],
  'storage.ts': ['config.ts', 'config-addresses.ts', 'storage-errors.ts', 'stores', 'limits', 'primitives'],
  'storage-errors.ts': ['primitives'],
  'log.ts': ['config.ts'],
  'boot.ts': ['keys'],
  'index.ts': ['main.ts', 'config.ts', 'primitives', 'verify', 'messaging'],
  'make-auth.ts': ['config.ts', 'auth', 'verify', 'guard', 'http', 'messaging', 'limits', 'primitives'],
  'make-events.ts': ['config.ts', 'events', 'services', 'verify', 'messaging', 'providers', 'primitives'],
  'make-tenants.ts': ['config.ts', 'limits', 'services', 'providers', 'primitives'],
  'make-messaging.ts': ['config.ts', 'log.ts', 'http', 'messaging', 'primitives'],
  'make-providers.ts': ['config.ts', 'providers', 'messaging', 'primitives'],
  'config.ts': [
    'config-account-settings.ts',
    'config-addresses.ts',
    'config-draft.ts',
    'config-files.ts',
    'config-kinds.ts',
    'config-provider-settings.ts',
    'config-providers.ts',
    'config-schema.ts',
    'config-strangers.ts',
    'messaging',
    'primitives',
  ],
  'config-providers.ts': [
    'config-draft.ts',
    'config-files.ts',
    'config-kinds.ts',
    'config-provider-settings.ts',
    'config-schema.ts',
    'primitives',
    'providers',
  ],
  'config-strangers.ts': ['config-draft.ts', 'config-schema.ts'],
  'config-files.ts': ['config-draft.ts', 'config-reading.ts'],
  'config-draft.ts': ['config-kinds.ts', 'config-schema.ts'],
  'config-schema.ts': [
    'config-account-settings.ts',
    'config-addresses.ts',
    'config-kinds.ts',
    'config-provider-settings.ts',
    'config-reading.ts',
    'primitives',
    'messaging',
  ],
  'config-account-settings.ts': ['config-kinds.ts', 'config-reading.ts'],
  'config-provider-settings.ts': ['config-kinds.ts', 'config-reading.ts', 'messaging'],
  'config-kinds.ts': ['config-reading.ts'],
  'config-addresses.ts': ['config-reading.ts', 'stores'],
  'config-reading.ts': [],
  'version.ts': [],
}

/** Folders whose own members never meet: one vendor, one database each. */
const SIBLINGS = ['providers', 'stores'] as const
/** What siblings have in common. */
const SHARED = new Set([
  'providers/shared/exchange.ts',
  'providers/shared/form.ts',
  'providers/shared/retries.ts',
  'providers/shared/way.ts',
  'stores/store.ts',
  'stores/attempt-counts.ts',
  'stores/attempt-counts.ts',
  'stores/attempts.ts',
  'stores/auth-rows.ts',
  'stores/batches.ts',
  'stores/receipts.ts',
  'stores/record-rows.ts',
  'stores/rotations.ts',
  'stores/rows.ts',
  'stores/transfer.ts',
])

type Source = { readonly path: string; readonly room: string; readonly text: string }

function sources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, room: path.split('/')[0] ?? path, text: readFileSync(join(SRC, path), 'utf8') }))
}

/** Every relative import, as a path from `src`; type imports count too. */
function importsOf({ path, text }: Source): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(SRC, resolve(dirname(join(SRC, path)), match[1] ?? '')),
  )
}

/** The text without comments, so that a rule may be explained where it holds. */
function code({ text }: Source): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
}

/** The code without template literals, which hold pages and SQL. */
function codeWithoutTexts(source: Source): string {
  return code(source).replace(/`(?:\\[\s\S]|[^`\\])*`/g, '``')
}

const ALL = sources()
const DOMAINS = new Set([
  'primitives',
  'auth',
  'limits',
  'keys',
  'messaging',
  'guard',
  'verify',
  'services',
  'events',
])

describe('arrows', () => {
  test('every file lies in a room that has a rule', () => {
    expect(ALL.filter(({ room }) => !(room in MAY_IMPORT)).map(({ path }) => path)).toEqual([])
    expect(ALL.length).toBeGreaterThan(40)
  })

  test('a room imports only what its rule allows', () => {
    const wrong = ALL.flatMap((source) =>
      importsOf(source)
        .map((target) => ({ target, room: target.split('/')[0] ?? target }))
        .filter(({ room }) => {
          const allowed = MAY_IMPORT[source.room] ?? []
          return room !== source.room && !allowed.includes('*') && !allowed.includes(room)
        })
        .map(({ target }) => `${source.path} → ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('the simulator is no part of the server: its command alone imports it', () => {
    const others = ALL.filter(({ room, path }) => room !== 'simulator' && path !== 'cli/simulate.ts')
    const wrong = others.filter((source) =>
      importsOf(source).some((target) => target.startsWith('simulator')),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('stores know the domains by their types alone', () => {
    const allowed =
      /^(?:auth\/events\.ts|limits\/window\.ts|messaging\/(?:lease|send-ranks)\.ts|primitives\/|services\/records\.ts|verify\/(?:attempts|verification)\.ts|stores\/)/
    const wrong = ALL.filter(({ room }) => room === 'stores').flatMap((source) =>
      [...source.text.matchAll(/^import (?!type )([\s\S]*?)from '(\.[^']+)'/gm)]
        .filter(([, names]) => !/^\{\s*(?:type \w+,?\s*)+\}\s*$/.test(names ?? ''))
        .map((match) => relative(SRC, resolve(dirname(join(SRC, source.path)), match[2] ?? '')))
        .filter((target) => !allowed.test(target))
        .map((target) => `${source.path} → ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('siblings never meet: no provider imports a provider, no store a store', () => {
    const wrong = SIBLINGS.flatMap((room) =>
      ALL.filter((source) => source.room === room).flatMap((source) =>
        importsOf(source)
          .filter((target) => target.startsWith(`${room}/`) && !SHARED.has(target))
          .filter((target) => vendor(target) !== vendor(source.path))
          .map((target) => `${source.path} → ${target}`),
      ),
    )
    expect(wrong).toEqual([])
  })
})

describe('nevers', () => {
  const offenders = (pattern: RegExp, allowed: (source: Source) => boolean) =>
    ALL.filter((source) => !allowed(source) && pattern.test(code(source))).map(({ path }) => path)

  test('only config.ts reads the environment', () => {
    expect(offenders(/process\.(?:env|loadEnvFile)|['"]dotenv/, ({ path }) => path === 'config.ts')).toEqual(
      [],
    )
  })

  test('only http/ knows a status code', () => {
    const pattern = /statusCode|\b(?:status|code)\s*[:(]\s*[1-5]\d\d\b|reply\./
    // The simulator answers in a vendor's place, with the vendor's statuses.
    const allowed = new Set(['http', 'providers', 'simulator'])
    expect(offenders(pattern, ({ room }) => allowed.has(room))).toEqual([])
  })

  test('http/errors.ts is the only table of statuses', () => {
    const pattern = /\.code\(\s*[45]\d\d|\bstatus(?:Code)?\s*[:=]\s*[45]\d\d/
    const elsewhere = ALL.filter(
      ({ path, room }) => path !== 'http/errors.ts' && room !== 'simulator',
    ).filter((source) => pattern.test(code(source)))
    expect(elsewhere.map(({ path }) => path)).toEqual([])
  })

  test('only stores/ knows a query language', () => {
    const pattern = /\b(?:SELECT\s.+\sFROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE)\b/
    expect(offenders(pattern, ({ room }) => room === 'stores')).toEqual([])
  })

  test('no domain and no store reads the machine’s time of day or its dice', () => {
    const pattern = /Date\.now\(|new Date\(\)|Math\.random\(/
    const allowed = ({ room, path }: Source) =>
      path === 'primitives/clock.ts' || !(DOMAINS.has(room) || room === 'stores')
    expect(offenders(pattern, allowed)).toEqual([])
  })

  test('no domain measures time; a store may, to give a call up', () => {
    const allowed = ({ room, path }: Source) => path === 'primitives/clock.ts' || !DOMAINS.has(room)
    expect(offenders(/performance\.now\(/, allowed)).toEqual([])
  })

  test('nothing draws from Math.random', () => {
    expect(offenders(/Math\.random/, () => false)).toEqual([])
  })

  test('importing a module does no work', () => {
    // Top-level statements that are neither declarations nor part of one; `cli/main.ts` is the entry point.
    const pattern = /^(?:await |if |for |while |try |new |[a-z][\w.]*\()/m
    const busy = ALL.filter(
      (source) => source.path !== 'cli/main.ts' && pattern.test(codeWithoutTexts(source)),
    )
    expect(busy.map(({ path }) => path)).toEqual([])
  })

  test('domains speak of no HTTP, no vendor and no database', () => {
    const pattern = /fastify|node:http|undici|twilio'|node:sqlite/
    expect(offenders(pattern, ({ room }) => !DOMAINS.has(room))).toEqual([])
  })

  test('the server imports none of client, react, web', () => {
    expect(ALL.flatMap(importsOf).filter((target) => target.startsWith('..'))).toEqual([])
  })
})

/** The vendor or database a file belongs to: `providers/twilio-codes.ts` → twilio, `stores/sqlite/…` → sqlite. */
function vendor(path: string): string {
  const [, second = ''] = path.split('/')
  return second.replace(/\.ts$/, '').split('-')[0] ?? second
}
