import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect } from 'vitest'
import type { App } from '../../src/http/app.ts'

type Dict = Readonly<Record<string, unknown>>

/** `/openapi.json` as far as tests look into it. */
export type OpenApi = {
  readonly openapi: string
  readonly info: Dict
  readonly components: { readonly schemas: Dict; readonly securitySchemes: Dict }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** One method of one path. */
export type Operation = {
  readonly summary?: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Dict }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Dict }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Dict }>> }>
  >
}

const DOCUMENT = 'https://openapi.test/document'

/** Every test server of a process has the same routes, so its document is read and compiled once. */
let shared: Promise<{ document: OpenApi; ajv: Ajv2020 }> | undefined
const compiled = new Map<string, ValidateFunction>()

/** The server's own OpenAPI document, asked for as anybody would. */
export async function readOpenApi(app: App): Promise<OpenApi> {
  const answer = await app.inject({ method: 'GET', url: '/openapi.json' })
  expect(answer.statusCode).toBe(200)
  return answer.json<OpenApi>()
}

async function load(app: App) {
  const document = await readOpenApi(app)
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ ...closed(document), $id: DOCUMENT })
  return { document, ajv }
}

/** The same with every object closed, so that an answer's member that nobody documented is found. */
function closed(node: object): Dict {
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closedValue(value)]))
  const isObject = copy['type'] === 'object' && copy['properties'] !== undefined
  return isObject ? { additionalProperties: false, ...copy } : copy
}

function closedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closedValue)
  return typeof value === 'object' && value !== null ? closed(value) : value
}

/** The documented path a request's path is one of, such as `/v1/verifications/{id}`; the plainest where several are. */
export async function templateOf(app: App, method: string, path: string): Promise<string | undefined> {
  shared ??= load(app)
  const { document } = await shared
  const parts = (path.split('?', 1)[0] ?? '').split('/')
  const fits = Object.keys(document.paths).filter((template) => {
    const wanted = template.split('/')
    if (document.paths[template]?.[method.toLowerCase()] === undefined) return false
    return (
      wanted.length === parts.length &&
      wanted.every((want, at) => (want.startsWith('{') ? parts[at] !== '' : want === parts[at]))
    )
  })
  return fits.sort((a, b) => a.split('{').length - b.split('{').length)[0]
}

/** Expects the status to be documented for the route, and the body to be what is documented: no more, no less. */
export async function expectMatchesOpenApi(
  app: App,
  method: string,
  template: string,
  status: number,
  body: unknown,
): Promise<void> {
  shared ??= load(app)
  const { document, ajv } = await shared
  const call = `${method} ${template}`
  const responses = document.paths[template]?.[method.toLowerCase()]?.responses ?? {}
  expect(Object.keys(responses), `${call} answers ${status}, which is not documented`).toContain(
    String(status),
  )
  const [type] = Object.keys(responses[String(status)]?.content ?? {})
  if (status === 204) {
    expect({ call, type, body }).toEqual({ call, type: undefined, body: '' })
    return
  }
  // RFC 9110 §15.3.5: it has no content, which is all that there is to document.
  if (status === 204 && type === undefined) return expect(body).toBe('')
  expect(type, `${call} ${status} has no documented content`).toBeDefined()
  const pointer = ['paths', template, method.toLowerCase(), 'responses', status, 'content', type, 'schema']
    .map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'))
    .map(encodeURIComponent)
    .join('/')
  let validate = compiled.get(pointer)
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `${DOCUMENT}#/${pointer}` })
    compiled.set(pointer, validate)
  }
  const valid = validate(body)
  expect(valid, `${call} ${status}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`).toBe(true)
}

/** Statuses whose answer tells when to come back. */
const WITH_RETRY_AFTER: ReadonlySet<number> = new Set([429, 503])

/** Expects an error to be a problem of RFC 9457 with every header we promise. */
export function expectProblem(answer: {
  status: number
  headers: Readonly<Record<string, unknown>>
  body: unknown
}): void {
  const { status, headers } = answer
  expect(headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(/^\/docs\/errors#[a-z_]+$/),
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    code: expect.stringMatching(/^[a-z_]+$/),
    request_id: headers['x-request-id'],
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- looked at just above
  const { type, code, retry_after: wait } = answer.body as Readonly<Record<string, string | number>>
  expect(type).toBe(`/docs/errors#${code}`)
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['retry-after']).toBe(wait === undefined ? undefined : String(wait))
  if (WITH_RETRY_AFTER.has(status)) expect(headers['retry-after']).toMatch(/^[1-9]\d*$/)
  if (status === 401) expect(headers['www-authenticate']).toBe('Bearer')
}
