import { Ajv2020 } from 'ajv/dist/2020.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { type OpenApi, readOpenApi } from '../../helpers/openapi.ts'
import { startServer } from '../../helpers/server.ts'

/** Every path and method of API.md that this version serves. */
const CONTRACT = [
  'POST /v1/verifications',
  'GET /v1/verifications',
  'GET /v1/verifications/{id}',
  'POST /v1/verifications/{id}/resend',
  'POST /v1/verifications/{id}/check',
  'POST /v1/verifications/{id}/cancel',
  'POST /v1/checks',
  'GET /v1/phones/{e164}/status',
  'GET /v1/phones/{e164}/limits',
  'POST /v1/phones/lookup',
  'POST /v1/messages',
  'GET /v1/messages',
  'GET /v1/messages/{id}',
  'GET /healthz',
  'GET /readyz',
  'GET /metrics',
  'GET /.well-known/jwks.json',
  'POST /hooks/{provider}/status',
  'POST /api/auth/otp/request',
  'POST /api/auth/verify-otp',
  'POST /api/auth/register',
  'POST /api/auth/register/resend',
  'POST /api/auth/register/verify',
  'POST /api/auth/login',
  'POST /api/auth/refresh',
  'POST /api/auth/logout',
  'POST /api/auth/logout-all',
  'GET /api/auth/sessions',
  'DELETE /api/auth/sessions/{id}',
  'GET /api/auth/me',
  'PATCH /api/auth/me',
  'POST /api/auth/password/change',
  'POST /api/auth/password/reset/request',
  'POST /api/auth/password/reset/verify',
  'POST /api/auth/password/reset',
  'POST /api/auth/phone',
  'POST /api/auth/phone/verify',
  'POST /api/auth/phone/undo/request',
  'POST /api/auth/phone/undo',
  'POST /api/sms/send-verification',
  'POST /api/sms/send-2fa',
  'GET /admin/users',
  'GET /admin/users/{id}',
  'POST /admin/users/{id}/disable',
  'POST /admin/users/{id}/enable',
  'POST /admin/users/{id}/end-sessions',
  'DELETE /admin/users/{id}',
  'GET /admin/events',
]

/** The calls of the sign-in API that a user makes; the others are made by anybody. */
const OF_USERS =
  /^\/api\/(?:sms\/.+|auth\/(?:me|logout-all|sessions|sessions\/\{id\}|password\/change|phone|phone\/verify|2fa\/(?:challenge|enable|confirm|disable|backup-codes)|devices|devices\/\{id\}))$/

let document: OpenApi

beforeAll(async () => {
  const server = await startServer({ keep: true, settings: { PUBLIC_URL: 'https://verify.example.com' } })
  document = await readOpenApi(server.app)
  await server.close()
})

function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      operation,
    })),
  )
}

/** Every schema object of a document, and every `$ref`. */
function walk(node: unknown, visit: (object: Readonly<Record<string, unknown>>) => void): void {
  if (typeof node !== 'object' || node === null) return
  visit({ ...node })
  for (const value of Object.values(node)) walk(value, visit)
}

/** The JSON pointer of a place, as a fragment. */
function pointerTo(...parts: string[]): string {
  return parts
    .map((part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`)
    .join('')
}

describe('GET /openapi.json', () => {
  test('is OpenAPI 3.1 and names the server by PUBLIC_URL', () => {
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d+$/),
      info: { title: 'Countersign', version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      servers: [{ url: 'https://verify.example.com' }],
    })
  })

  test('lists every call of the contract', () => {
    expect(operations().map(({ name }) => name)).toEqual(expect.arrayContaining(CONTRACT))
  })

  test('every schema compiles under JSON Schema 2020-12, and every reference leads somewhere', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema({ ...document, $id: 'https://openapi.test/' })
    const schemas: string[] = Object.keys(document.components.schemas).map(
      (name) => `/components/schemas/${name}`,
    )
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        for (const type of Object.keys(operation.requestBody?.content ?? {}))
          schemas.push(pointerTo('paths', path, method, 'requestBody', 'content', type, 'schema'))
        for (const [status, response] of Object.entries(operation.responses)) {
          for (const type of Object.keys(response.content ?? {}))
            schemas.push(pointerTo('paths', path, method, 'responses', status, 'content', type, 'schema'))
        }
      }
    }
    expect(schemas.length).toBeGreaterThan(100)
    for (const pointer of schemas)
      expect(() => ajv.compile({ $ref: `https://openapi.test/#${pointer}` }), pointer).not.toThrow()
    walk(document, (object) => {
      const ref = object['$ref']
      if (typeof ref === 'string') expect(ref).toMatch(/^#\/components\/schemas\/\w+$/)
    })
  })

  test('every operation has a summary, every path parameter, an answer with a schema, and problems', () => {
    for (const { name, path, operation } of operations()) {
      expect(operation.summary, name).toMatch(/./)
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      const given = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name)
      expect(given, name).toEqual(named)
      const good = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'))
      expect(good.length, name).toBeGreaterThan(0)
      for (const [status, response] of good) {
        // A vendor reads nothing but the status.
        const types = status === '204' || path.startsWith('/hooks/') ? 0 : 1
        expect(Object.keys(response.content ?? {}), name).toHaveLength(types)
      }
      for (const [status, response] of Object.entries(operation.responses)) {
        if (status.startsWith('2')) continue
        expect(response.content, `${name} ${status}`).toEqual({
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        })
      }
      if (path.startsWith('/v1/')) {
        expect(Object.keys(operation.responses), name).toEqual(
          expect.arrayContaining(['401', ...(path.endsWith('lookup') ? [] : ['503'])]),
        )
      }
    }
  })

  test('bodies refuse unknown members', () => {
    for (const { name, operation } of operations()) {
      const schema = operation.requestBody?.content['application/json']?.schema
      if (schema === undefined) continue
      let objects = 0
      walk(schema, (object) => {
        const isObject = [object['type']].flat().includes('object')
        if (!isObject || object['properties'] === undefined) return
        objects++
        expect(object['additionalProperties'], name).toBe(false)
      })
      expect(objects, name).toBeGreaterThan(0)
    }
  })

  test('a key is asked for by the Verify API and the administration, an access token by a user’s calls', () => {
    expect(document).toMatchObject({
      security: [{ key: [] }],
      components: { securitySchemes: { user: { type: 'http', scheme: 'bearer' } } },
    })
    for (const { name, path, operation } of operations()) {
      if (/^\/(?:v1|admin)\//.test(path)) expect(operation.security, name).toBeUndefined()
      else if (OF_USERS.test(path)) expect(operation.security, name).toEqual([{ user: [] }])
      else if (path === '/api/auth/logout') expect(operation.security).toEqual([{ user: [] }, {}])
      else expect(operation.security, name).toEqual([])
    }
  })

  test('what a user or a key is asked for may be refused: 401; what is counted, 429; what is kept, 503', () => {
    for (const { name, path, operation } of operations()) {
      if (!/^\/(?:api|admin)\//.test(path)) continue
      const statuses = Object.keys(operation.responses)
      if (operation.security?.length !== 0) expect(statuses, name).toContain('401')
      if (path.startsWith('/api/')) expect(statuses, name).toContain('429')
      if (path.startsWith('/admin/')) expect(statuses, name).toContain('403')
      expect(statuses, name).toEqual(expect.arrayContaining(['500', '503']))
    }
  })

  test('holds no development route and nothing secret', () => {
    const text = JSON.stringify(document)
    expect(text).not.toMatch(/dev\/inbox|123456|sk_[A-Za-z0-9]{8}/)
  })
})
