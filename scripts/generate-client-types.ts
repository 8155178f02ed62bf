import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { readConfig } from '../server/src/config.ts'
import { STATUS } from '../server/src/http/errors.ts'
import { compose } from '../server/src/main.ts'

const root = dirname(import.meta.dirname)
const FILE = 'client/src/wire.ts'

type Schema = {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly description?: string
}
type Content = { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }
type Operation = {
  readonly summary?: string
  readonly requestBody?: Content
  readonly responses: Readonly<Record<string, Content>>
}
type OpenApi = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** What a page or an app calls; the rest wants a secret key. */
const CALLED = [/^\/v1\/verifications\b/, /^\/v1\/phones\/lookup$/, /^\/api\/auth\//]

/** The wire types of the client, made from the server's own OpenAPI and its table of errors. */
export async function renderClientTypes(): Promise<string> {
  const api = await readOpenApi()
  const calls = Object.entries(api.paths)
    .filter(([path]) => CALLED.some((called) => called.test(path)))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => renderCall(method, path, operation)),
    )
  const names = reachable(api, calls.join('\n'))
  const text = [
    '// Made by scripts/generate-client-types.ts from the OpenAPI of the server and its table of errors: change them.',
    `/** The codes that the server answers; see docs/errors.md. */\nexport type ServerErrorCode = ${Object.keys(STATUS).sort().map(literal).join(' | ')}`,
    ...names.map((name) => renderNamed(name, api.components.schemas[name] ?? {})),
    `/** Every call that the client may make: what it takes, and what is answered. */\nexport type Calls = {\n${calls.join('\n')}\n}`,
  ].join('\n\n')
  return format(text, { ...(await resolveConfig(join(root, FILE))), parser: 'typescript' })
}

/** The document of a server that is put together as `countersign serve` does, and listens to nothing. */
async function readOpenApi(): Promise<OpenApi> {
  const config = readConfig({
    SMS_PROVIDER: 'mock',
    DEV_MODE: 'true',
    SECRET_KEY: 'only-for-the-document-0123456789-abcdef',
    DATABASE_URL: 'sqlite::memory:',
    API_KEYS: 'sk_only_for_the_document_0123456789ab',
  })
  const countersign = await compose(config, { logTo: { write: () => {} } })
  const app = await countersign.http()
  try {
    await app.ready()
    const answer = await app.inject('/openapi.json')
    return answer.json<OpenApi>()
  } finally {
    await app.close()
    await countersign.close()
  }
}

function renderNamed(name: string, schema: Schema): string {
  return `${comment(schema.description)}export type ${name} = ${typeOf(schema)}`
}

function renderCall(method: string, path: string, operation: Operation): string {
  const body = schemaOf(operation.requestBody)
  const answers = Object.entries(operation.responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, answer]) => schemaOf(answer))
    .flatMap((schema) => (schema === undefined ? ['undefined'] : alternatives(schema)))
  const types = `body: ${body === undefined ? 'undefined' : typeOf(body)}; answer: ${[...new Set(answers)].join(' | ')}`
  return `${comment(operation.summary)}${literal(`${method.toUpperCase()} ${path}`)}: { ${types} }`
}

function schemaOf(content: Content | undefined): Schema | undefined {
  return content?.content?.['application/json']?.schema
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? 'never'
  if (schema.anyOf) return [...new Set(alternatives(schema))].join(' | ')
  if (schema.enum) return schema.enum.map(literal).join(' | ')
  if (typeof schema.type === 'string') return typeOfKind(schema.type, schema)
  return schema.type?.map((kind) => typeOfKind(kind, schema)).join(' | ') ?? 'unknown'
}

function alternatives(schema: Schema): string[] {
  return schema.anyOf?.flatMap(alternatives) ?? [typeOf(schema)]
}

function typeOfKind(kind: string, schema: Schema): string {
  switch (kind) {
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return kind
    case 'array':
      return `(${typeOf(schema.items ?? {})})[]`
    case 'object':
      return typeOfObject(schema)
    default:
      throw new Error(`No type for ${kind}`)
  }
}

function typeOfObject({ properties = {}, required = [], additionalProperties }: Schema): string {
  const members = Object.entries(properties).map(([name, schema]) => {
    // `undefined` is left out of JSON, so it may stand where nothing does.
    const type = typeOf(schema)
    const rest = required.includes(name)
      ? `: ${type}`
      : `?: ${type === 'unknown' ? type : `${type} | undefined`}`
    return `${comment(schema.description)}${name}${rest}`
  })
  if (members.length > 0) return `{\n${members.join('\n')}\n}`
  if (typeof additionalProperties === 'object') return `Record<string, ${typeOf(additionalProperties)}>`
  return 'Record<string, never>'
}

function comment(text: string | undefined): string {
  return text === undefined ? '' : `/** ${text.replaceAll('*/', '*\\/')} */\n`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`
}

/** The named schemas that a text of types speaks of, and those that these speak of. */
function reachable({ components: { schemas } }: OpenApi, text: string): string[] {
  const found = new Set<string>(['Problem'])
  const visit = (types: string) => {
    for (const name of Object.keys(schemas)) {
      if (found.has(name) || !new RegExp(`\\b${name}\\b`).test(types)) continue
      found.add(name)
      visit(typeOf(schemas[name] ?? {}))
    }
  }
  visit(text.replaceAll(/\/\*\*.*\*\//g, ''))
  return [...found].sort()
}

async function main(): Promise<void> {
  const types = await renderClientTypes()
  if (!process.argv.includes('--check')) return writeFileSync(join(root, FILE), types)
  if (readFileSync(join(root, FILE), 'utf8') === types) return
  console.error(`Not current: ${FILE}. Run: node scripts/generate-client-types.ts`)
  process.exitCode = 1
}

if (import.meta.main) await main()
