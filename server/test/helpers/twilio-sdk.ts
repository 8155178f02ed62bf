import Sdk from 'twilio'
import { freePort } from '../../../scripts/services/tools.ts'
import { type ServerOptions, startServer, type TestServer } from './server.ts'
import { expectTwilioAnswer } from './twilio-openapi.ts'

/** The account of every test server, and its token. */
export const ACCOUNT = `AC${'0'.repeat(31)}1`
export const TOKEN = 'tests-0123456789abcdef0123456789'
/** Another account of the same server. */
export const OTHER_ACCOUNT = `AC${'0'.repeat(31)}2`
export const OTHER_TOKEN = 'other-0123456789abcdef0123456789'

/** A server that listens, and the official SDK. */
export type TwilioServer = {
  readonly server: TestServer
  readonly url: string
  readonly sdk: ReturnType<typeof Sdk>
}

/** The official SDK, unmodified, pointed at a server as a user would; each answer is held to Twilio's own description. */
export function makeTwilioSdk(url: string, account = ACCOUNT, token = TOKEN): ReturnType<typeof Sdk> {
  const httpClient = new Sdk.RequestClient()
  httpClient.axios.interceptors.response.use((answer) => {
    const { url: asked = '', method = '' } = answer.config
    expectTwilioAnswer(new URL(asked).pathname, method, answer.status, answer.data)
    return answer
  })
  const sdk = Sdk(account, token, { httpClient })
  sdk.verify.baseUrl = url
  return sdk
}

/** Starts a server with two accounts, at the address that it tells, and the SDK of the first. */
export async function startTwilio(options: ServerOptions = {}): Promise<TwilioServer> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = {
    API_KEYS: `${ACCOUNT}:${TOKEN},${OTHER_ACCOUNT}:${OTHER_TOKEN}`,
    PUBLIC_URL: url,
    ...options.settings,
  }
  const server = await startServer({ ...options, settings })
  await server.app.listen({ port, host: '127.0.0.1' })
  return { server, url, sdk: makeTwilioSdk(url) }
}
