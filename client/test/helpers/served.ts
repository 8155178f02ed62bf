import { type Client, type ClientOptions, createClient, type SignedIn } from '@countersign/client'
import { afterAll, beforeAll, expect } from 'vitest'
import { type Overrides } from '../../../server/src/main.ts'
import { QUICK } from '../../../server/test/helpers/people.ts'
import { phoneOf, PK, startServer, type TestServer } from '../../../server/test/helpers/server.ts'

/** A real server on a port for the whole file, and clients of it. */
export type Served = {
  readonly server: TestServer
  readonly url: string
  /** A client with the publishable key. */
  readonly client: (options?: Partial<ClientOptions>) => Client
  /** A number that no test of the file has yet. */
  readonly newPhone: () => string
  /** How many calls of a route the server has answered. */
  readonly countOf: (route: string) => number
}

/** Signs in by a code, and expects that to work. */
export async function signIn({ auth }: Client, phone: string): Promise<SignedIn> {
  const { preview_code: code = '' } = await auth.requestOtp(phone)
  const result = await auth.verifyOtp(phone, code)
  if (result.status !== 'signed_in') throw new Error(`A second factor was asked for`)
  expect(auth.isSignedIn).toBe(true)
  return result
}

/** Starts the server before the tests of a file, and closes it after them. */
export function serve(settings: Record<string, string> = {}, overrides?: Overrides): Served {
  const served: { server?: TestServer; url?: string } = {}
  let phones = 0
  beforeAll(async () => {
    const server = await startServer({
      keep: true,
      settings: { ...QUICK, CALLS_PER_SESSION_MINUTE: '10000', ...PLENTY, ...settings },
      ...(overrides ? { overrides } : {}),
    })
    Object.assign(served, { server, url: await server.listen() })
  })
  afterAll(() => served.server?.close())
  const server = () => served.server ?? fail()
  return {
    get server() {
      return server()
    },
    get url() {
      return served.url ?? fail()
    },
    client: (options) => createClient({ baseUrl: served.url ?? fail(), publishableKey: PK, ...options }),
    newPhone: () => phoneOf(phones++),
    countOf: (route) =>
      server().logs.filter((line) => line.includes(`"msg":"request"`) && routeOf(line) === route).length,
  }
}

/** All tests of a file come from one address. */
const PLENTY = {
  SIGN_IN_CALLS_PER_ADDRESS_HOUR: '1000',
  PASSWORDS_PER_ADDRESS_HOUR: '1000',
  STARTS_PER_ADDRESS_HOUR: '1000',
  CHECKS_PER_ADDRESS_HOUR: '1000',
  PUBLISHABLE_STARTS_PER_ADDRESS_HOUR: '1000',
  PUBLISHABLE_CHECKS_PER_ADDRESS_HOUR: '1000',
}

function routeOf(line: string): string {
  const { method, route } = JSON.parse(line) as { method: string; route: string }
  return `${method} ${route}`
}

function fail(): never {
  throw new Error('The server is not there yet')
}
