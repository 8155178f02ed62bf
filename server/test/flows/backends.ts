import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { Backend } from '../helpers/backends.ts'
import { QUICK } from '../helpers/people.ts'
import { type ServerOptions, startServer, type TestServer } from '../helpers/server.ts'

/** A server on a new database of this backend, whose time a test moves. Both are gone when the test ends. */
export async function serverOn(backend: Backend, options: ServerOptions = {}): Promise<TestServer> {
  const { server, end } = await serverWithEnd(backend, options)
  onTestFinished(end)
  return server
}

/** The same for all tests of a `describe`: each has people of its own. */
export function serverForAll(backend: Backend, options: ServerOptions = {}): () => TestServer {
  let running: Awaited<ReturnType<typeof serverWithEnd>> | undefined
  beforeAll(async () => {
    running = await serverWithEnd(backend, options)
  })
  afterAll(() => running?.end())
  return () => {
    if (running === undefined) throw new Error('no server yet')
    return running.server
  }
}

async function serverWithEnd(backend: Backend, options: ServerOptions) {
  const data = await backend.fresh()
  const server = await startServer({
    ...options,
    keep: true,
    settings: { ...QUICK, ...data.settings, ...options.settings },
  })
  const end = async () => {
    await server.close()
    await data.drop()
  }
  return { server, end }
}
