import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ValidateFunction } from 'ajv'

export const MESSAGES_PATH = '/2010-04-01/Accounts/{AccountSid}/Messages.json'
export const ACCOUNT_PATH = '/2010-04-01/Accounts/{Sid}.json'

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

type Api = {
  readonly paths: {
    readonly [MESSAGES_PATH]: {
      readonly post: { readonly requestBody: { content: { [FORM]: { schema: { properties: object } } } } }
    }
  }
}

/** OpenAPI 3.0 says `nullable` where JSON Schema lists `null` among the types. */
function modern(_: string, node: unknown): unknown {
  if (typeof node !== 'object' || node === null || !('nullable' in node) || !('type' in node)) return node
  const { nullable, type, ...rest } = node
  return nullable === true && typeof type === 'string' ? { ...rest, type: [type, 'null'] } : node
}

function pointer(...steps: string[]): string {
  const escaped = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
  return `twilio#/${escaped.join('/')}`
}

/** Checks of requests and answers, compiled from the description of the API that Twilio publishes. */
export function makeTwilioChecks() {
  const file = createRequire(import.meta.url).resolve(
    '@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json',
  )
  const api: Api = JSON.parse(readFileSync(file, 'utf8'), modern)
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    // A form holds strings alone.
    coerceTypes: true,
    formats: {
      'phone-number': /^(\+[1-9]\d{6,14}|[A-Za-z0-9 ]{1,11})$/,
      'date-time-rfc-2822': /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000$/,
      currency: /^[a-z]{3}$/i,
      'uri-map': true,
      uri: true,
      'date-time': true,
    },
  })
  ajv.addSchema({ $id: 'twilio', ...api })
  const post = ['paths', MESSAGES_PATH, 'post']
  const { properties } = api.paths[MESSAGES_PATH].post.requestBody.content[FORM].schema
  return {
    request: ajv.compile({
      $ref: pointer(...post, 'requestBody', 'content', FORM, 'schema'),
      // A parameter Twilio does not know is most likely a misspelt one.
      propertyNames: { enum: Object.keys(properties) },
    }),
    message: ajv.compile({ $ref: pointer(...post, 'responses', '201', 'content', JSON_TYPE, 'schema') }),
    account: ajv.compile({
      $ref: pointer('paths', ACCOUNT_PATH, 'get', 'responses', '200', 'content', JSON_TYPE, 'schema'),
    }),
  }
}

/** Throws what is wrong with a value, in the description's terms. */
export function sure(check: ValidateFunction, value: unknown, what: string): void {
  if (!check(value)) throw new Error(`${what} is not as Twilio describes it: ${JSON.stringify(check.errors)}`)
}
