import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ValidateFunction } from 'ajv'

const FILES = ['twilio_api_v2010.json', 'twilio_verify_v2.json']

type Operation = { readonly responses: Readonly<Record<string, object>> }
type Api = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }

/** OpenAPI 3.0 says `nullable` where JSON Schema lists `null` among the types. */
function modern(_: string, node: unknown): unknown {
  if (typeof node !== 'object' || node === null || !('nullable' in node)) return node
  const { nullable, ...rest } = node
  const isTyped = nullable === true && 'type' in rest && typeof rest.type === 'string'
  return isTyped ? { ...rest, type: [rest.type, 'null'] } : rest
}

/** The same, and every object has the members that are described and no others. */
function exact(name: string, node: unknown): unknown {
  const schema = modern(name, node)
  if (typeof schema !== 'object' || schema === null || !('properties' in schema)) return schema
  return { ...schema, required: Object.keys(schema.properties as object), additionalProperties: false }
}

function pointer(file: string, ...steps: string[]): string {
  const escaped = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
  return `${file}#/${escaped.join('/')}`
}

/**
 * Makes a check of answers against the descriptions that Twilio publishes: the path and the status must be described,
 * and the body must be as it says; `isExact`: with all that it says and nothing besides. Gives what is wrong, or nothing.
 */
export function makeAnswerCheck({ isExact = false } = {}): (
  method: string,
  path: string,
  status: number,
  body: unknown,
) => string | undefined {
  const ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS })
  const known = FILES.map((file) => {
    const found = createRequire(import.meta.url).resolve(`@twilio/cli-core/src/services/twilio-api/${file}`)
    const api: Api = JSON.parse(readFileSync(found, 'utf8'), isExact ? exact : modern)
    ajv.addSchema({ $id: file, ...api })
    const templates = Object.keys(api.paths).map((template) => ({
      template,
      pattern: new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, String.raw`[^/]+?`)}$`),
    }))
    // The plainest first: `/v2/Attempts/Summary` is no attempt.
    const places = (template: string) => template.split('{').length
    return { file, api, templates: templates.sort((a, b) => places(a.template) - places(b.template)) }
  })
  const compiled = new Map<string, ValidateFunction>()

  return (method, path, status, body) => {
    for (const { file, api, templates } of known) {
      for (const { template, pattern } of templates) {
        const operation = api.paths[template]?.[method.toLowerCase()]
        if (!pattern.test(path) || operation === undefined) continue
        if (!(String(status) in operation.responses))
          return `${method} ${template} does not answer with ${status}`
        if (status === 204) return undefined
        const steps = [
          'paths',
          template,
          method.toLowerCase(),
          'responses',
          String(status),
          'content',
          'application/json',
          'schema',
        ]
        const $ref = pointer(file, ...steps)
        const check = compiled.get($ref) ?? ajv.compile({ $ref })
        compiled.set($ref, check)
        return check(body) ? undefined : JSON.stringify(check.errors)
      }
    }
    return `${method} ${path} is not described`
  }
}

const FORMATS = {
  'phone-number': /^(whatsapp:)?(\+[1-9]\d{6,14}|[A-Za-z0-9 ]{1,11})$/,
  'date-time-rfc-2822': /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000$/,
  'date-time': /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/,
  currency: /^[a-z]{3}$/i,
  'uri-map': true,
  uri: true,
  int64: true,
  double: true,
} as const
