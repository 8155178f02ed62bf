import { onTestFinished } from 'vitest'
import type { Backend } from '../helpers/backends.ts'
import { QUICK } from '../helpers/people.ts'
import { type ServerOptions, startServer, type TestServer } from '../helpers/server.ts'

/** A server on a new database of this backend, whose time a test moves. Both are gone when the test ends. */
export async function serverOn(backend: Backend, options: ServerOptions = {}): Promise<TestServer> {
  const data = await backend.fresh()
  const server = await startServer({
    ...options,
    keep: true,
    settings: { ...QUICK, ...data.settings, ...options.settings },
  })
  onTestFinished(async () => {
    await server.close()
    await data.drop()
  })
  return server
}
