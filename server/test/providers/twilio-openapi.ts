import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ValidateFunction } from 'ajv'

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

type Operation = {
  readonly requestBody?: {
    readonly content: { readonly [FORM]: { readonly schema: { properties: object } } }
  }
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[]
}
type Api = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }

/** OpenAPI 3.0 says `nullable` where JSON Schema lists `null` among the types. */
function modern(_: string, node: unknown): unknown {
  if (typeof node !== 'object' || node === null || !('nullable' in node)) return node
  const { nullable, ...rest } = node
  if (!('type' in rest)) return rest
  return nullable === true && typeof rest.type === 'string' ? { ...rest, type: [rest.type, 'null'] } : node
}

function pointer(...steps: string[]): string {
  const escaped = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
  return `twilio#/${escaped.join('/')}`
}

/** Checks of one API's requests and answers. */
export type TwilioChecks = {
  /** The form of a request; a parameter that Twilio does not know is most likely a misspelt one. */
  form(method: string, path: string): ValidateFunction
  /** The query of a request. */
  query(path: string): ValidateFunction
  /** The body of an answer. */
  answer(method: string, path: string, status: number): ValidateFunction
}

/** Compiles checks from the description of an API that Twilio publishes. */
export function makeTwilioChecks(name: 'twilio_api_v2010' | 'twilio_verify_v2'): TwilioChecks {
  const file = createRequire(import.meta.url).resolve(`@twilio/cli-core/src/services/twilio-api/${name}.json`)
  const api: Api = JSON.parse(readFileSync(file, 'utf8'), modern)
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    // A form holds strings alone.
    coerceTypes: true,
    formats: {
      'phone-number': /^((whatsapp:)?\+[1-9]\d{6,14}|[A-Za-z0-9 ]{1,11})$/,
      endpoint: /^\+[1-9]\d{6,14}$/,
      'date-time-rfc-2822': /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000$/,
      currency: /^[a-z]{3}$/i,
      twiml: (text: string) => text.length <= 4_000,
      int64: true,
      'http-method': true,
      'iso-country-code': true,
      'uri-map': true,
      uri: true,
      'date-time': true,
    },
  })
  ajv.addSchema({ $id: 'twilio', ...api })
  const operation = (method: string, path: string): Operation => {
    const found = api.paths[path]?.[method]
    if (found === undefined) throw new Error(`${name} describes no ${method} ${path}`)
    return found
  }
  return {
    form(method, path) {
      const { properties } = operation(method, path).requestBody?.content[FORM].schema ?? { properties: {} }
      return ajv.compile({
        $ref: pointer('paths', path, method, 'requestBody', 'content', FORM, 'schema'),
        propertyNames: { enum: Object.keys(properties) },
      })
    },
    query(path) {
      const known = (operation('get', path).parameters ?? []).flatMap((parameter, at) =>
        parameter.in === 'query'
          ? [[parameter.name, { $ref: pointer('paths', path, 'get', 'parameters', `${at}`, 'schema') }]]
          : [],
      )
      return ajv.compile({
        type: 'object',
        properties: Object.fromEntries(known),
        additionalProperties: false,
      })
    },
    answer(method, path, status) {
      return ajv.compile({
        $ref: pointer('paths', path, method, 'responses', `${status}`, 'content', JSON_TYPE, 'schema'),
      })
    },
  }
}

/** Throws what is wrong with a value, in the description's terms. */
export function sure(check: ValidateFunction, value: unknown, what: string): void {
  if (!check(value)) throw new Error(`${what} is not as Twilio describes it: ${JSON.stringify(check.errors)}`)
}
