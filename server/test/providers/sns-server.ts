import { createHash, createHmac, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import {
  listen,
  misbehave,
  portOf,
  VENDOR_TEXT,
  type Answer,
  type Scenario,
} from '../conformance/provider-faults.ts'

export const REGION = 'eu-west-1'
export const ACCESS_KEY = 'AKIDEXAMPLE'
export const SECRET_KEY = 'secret-key-never-shown'
const NAMESPACE = 'http://sns.amazonaws.com/doc/2010-03-31/'

const REFUSALS: Partial<Record<Scenario, [string, string]>> = {
  bad_number: [
    'InvalidParameter',
    `Invalid parameter: PhoneNumber Reason: ${VENDOR_TEXT} is not valid to publish to`,
  ],
  opted_out: ['OptedOut', VENDOR_TEXT],
  wrong_channel: [
    'InvalidParameter',
    `Invalid parameter: PhoneNumber Reason: Phone has blocked SMS ${VENDOR_TEXT}`,
  ],
  blocked: [
    'InvalidParameter',
    `Invalid parameter: PhoneNumber Reason: Phone is on a blocked list ${VENDOR_TEXT}`,
  ],
  misconfigured: ['InvalidParameterValue', VENDOR_TEXT],
}

type Form = Readonly<Record<string, string>>

/**
 * A local server that speaks the AWS Query protocol as SNS does, and checks the signature of every request by
 * its own reading of Signature Version 4.
 */
export class SnsServer {
  /** The requests to publish. */
  readonly seen: Form[] = []
  /** What was wrong with requests. Must stay empty. */
  readonly faults: string[] = []
  /** The sessions in whose name requests were signed. */
  readonly tokens: (string | undefined)[] = []
  followed = 0
  readWhole = false
  readonly #server = createServer((req, res) => void this.#take(req, res))
  readonly #queue: Answer[] = []
  #scenario: Scenario = 'accepted'

  get baseUrl(): string {
    return `http://127.0.0.1:${portOf(this.#server)}`
  }

  async listen(): Promise<this> {
    await listen(this.#server)
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  play(scenario: Scenario): void {
    this.#scenario = scenario
    this.#queue.length = 0
    this.seen.length = 0
    this.tokens.length = 0
    this.followed = 0
    this.readWhole = false
  }

  /** Gives these answers to the next requests to publish, in order, before the scenario's. */
  answer(...answers: Answer[]): void {
    this.#queue.push(...answers)
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = (await buffer(req)).toString()
    if (req.url === '/elsewhere') {
      this.followed++
      res.end()
      return
    }
    const form: Form = Object.fromEntries(new URLSearchParams(body))
    if (form['Action'] === 'AssumeRoleWithWebIdentity') return reply(res, assumed())
    const wrong = signatureFault(req, body)
    if (wrong !== undefined) return reply(res, refusal(403, 'SignatureDoesNotMatch', wrong))
    this.tokens.push([req.headers['x-amz-security-token']].flat()[0])
    if (form['Version'] !== '2010-03-31' || req.method !== 'POST')
      this.faults.push('not the API of 2010-03-31')
    if (form['Action'] === 'GetSMSAttributes')
      return reply(res, xml('GetSMSAttributes', '<attributes></attributes>'))
    if (form['Action'] !== 'Publish') return reply(res, refusal(400, 'InvalidAction'))
    this.seen.push(form)
    return this.#publish(res)
  }

  #publish(res: ServerResponse): void {
    const queued = this.#queue.shift()
    if (queued !== undefined) return reply(res, queued)
    const id = this.#scenario === 'wrong_id' ? VENDOR_TEXT : randomUUID()
    const accepted = xml('Publish', `<MessageId>${id}</MessageId>`)
    res.once('finish', () => {
      this.readWhole = true
    })
    if (misbehave(res, this.#scenario, accepted, `${this.baseUrl}/elsewhere`)) return undefined
    return reply(res, this.#script() ?? accepted)
  }

  #script(): Answer | undefined {
    const known = REFUSALS[this.#scenario]
    if (known !== undefined) return refusal(400, ...known)
    if (this.#scenario === 'throttled_long') return refusal(429, 'Throttled', '', { 'retry-after': '3600' })
    if (this.#scenario === 'throttled' || (this.#scenario === 'throttled_once' && this.seen.length === 1)) {
      return refusal(429, 'Throttled', '', { 'retry-after': '1' })
    }
    if (this.#scenario === 'error') return refusal(500, 'InternalError')
    return this.#scenario === 'unavailable' ? refusal(503, 'ServiceUnavailable') : undefined
  }
}

/** An answer of SNS's that took the request. */
export function xml(action: string, result: string): Answer {
  const body = `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${result}</${action}Result><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`
  return { status: 200, headers: { 'content-type': 'text/xml' }, body }
}

/** SNS's form of an error. */
export function refusal(
  status: number,
  code: string,
  message: string = VENDOR_TEXT,
  headers: Record<string, string> = {},
): Answer {
  const type = status < 500 ? 'Sender' : 'Receiver'
  const body = `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`
  return { status, headers: { 'content-type': 'text/xml', ...headers }, body }
}

/** STS's answer to a pod that shows who it is. */
function assumed(): Answer {
  const credentials = `<Credentials><AccessKeyId>${ACCESS_KEY}</AccessKeyId><SecretAccessKey>${SECRET_KEY}</SecretAccessKey><SessionToken>session-of-a-pod</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>`
  return xml('AssumeRoleWithWebIdentity', credentials)
}

/** What is wrong with a request's signature, by docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. */
function signatureFault(req: IncomingMessage, body: string): string | undefined {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/sns\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
  const [, key, day, region, names = '', signature] = pattern.exec(req.headers.authorization ?? '') ?? []
  if (key !== ACCESS_KEY || region !== REGION || day === undefined) return 'scope'
  const signed = names.split(';')
  for (const name of ['host', 'x-amz-date']) if (!signed.includes(name)) return `${name} is not signed`
  if (req.headers['x-amz-security-token'] !== undefined && !signed.includes('x-amz-security-token'))
    return 'token is not signed'
  const time = String(req.headers['x-amz-date'])
  if (!time.startsWith(day)) return 'date'
  const at = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'))
  if (!(Math.abs(Date.now() - at) < 300_000)) return 'clock'
  const { pathname, search } = new URL(req.url ?? '/', 'http://host.invalid')
  const headers = signed.map((name) => `${name}:${String(req.headers[name]).trim().replace(/ +/g, ' ')}\n`)
  const canonical = [req.method, pathname, search.slice(1), headers.join(''), names, sha256(body)].join('\n')
  const scope = `${day}/${region}/sns/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const hmac = (secret: string | Buffer, value: string) => createHmac('sha256', secret).update(value).digest()
  const signing = [day, region, 'sns', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${SECRET_KEY}`)
  return hmac(signing, text).toString('hex') === signature ? undefined : 'signature'
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function reply(res: ServerResponse, { status, headers, body }: Answer): void {
  res.writeHead(status, headers).end(body)
}
