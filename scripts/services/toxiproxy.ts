import { join } from 'node:path'
import {
  Missing,
  cached,
  findProgram,
  freePort,
  launch,
  makeServiceFolder,
  removeFolder,
  run,
} from './tools.ts'

const VERSION = 'v2.5.0'
const MODULE = `github.com/Shopify/toxiproxy/v2/cmd/server@${VERSION}`

/** A toxiproxy; `url` is its API's. */
export type ToxiproxyServer = { readonly url: string; remove(): Promise<void> }

/** Builds it where it is not in the cache yet. */
export async function buildToxiproxy(): Promise<string> {
  const folder = await cached(`toxiproxy-${VERSION}`, async (folder) => {
    const go = findProgram('go', ['/usr/local/go/bin'])
    if (go === undefined) throw new Missing('needs Go (go) in PATH to build toxiproxy')
    await run(go, ['install', MODULE], { cwd: folder, env: { ...process.env, GOBIN: folder } })
  })
  return join(folder, 'server')
}

/** Starts one, without proxies. */
export async function startToxiproxy(): Promise<ToxiproxyServer> {
  const program = await buildToxiproxy()
  const folder = makeServiceFolder('toxiproxy')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  try {
    const running = await launch(folder, [program, '-host', '127.0.0.1', '-port', `${port}`], () =>
      fetch(`${url}/version`),
    )
    return {
      url,
      remove: async () => {
        await running.stop('SIGKILL')
        removeFolder(folder)
      },
    }
  } catch (error) {
    removeFolder(folder)
    throw error
  }
}

/** A way to a server that a test can disturb. */
export type Proxy = {
  /** The server's address through the proxy, when it was told as a URL; `127.0.0.1:port` otherwise. */
  readonly url: string
  readonly port: number
  /** Closes every connection and refuses new ones. */
  cut(): Promise<void>
  /** Takes back everything below and above: connections pass again. */
  restore(): Promise<void>
  /** Every answer comes this much later. */
  slow(ms: number): Promise<void>
  /** Every connection ends with a TCP reset, new ones too. */
  reset(): Promise<void>
  /**
   * Connections stay open and bytes vanish. Of `answers`: what was asked is done and nobody hears of it;
   * of `requests`: nothing is done. Those connections are closed when it is taken back.
   */
  blackhole(what?: 'both' | 'answers' | 'requests'): Promise<void>
  remove(): Promise<void>
}

/** Makes a proxy before this `host:port` or URL. */
export async function makeProxy(api: string, target: string): Promise<Proxy> {
  const isUrl = target.includes('://')
  const behind = new URL(isUrl ? target : `tcp://${target}`)
  const port = await freePort()
  const name = `p${port}`
  const path = `/proxies/${name}`
  await call(api, 'POST', '/proxies', {
    name,
    listen: `127.0.0.1:${port}`,
    upstream: behind.host,
    enabled: true,
  })
  const through = new URL(behind)
  through.host = `127.0.0.1:${port}`

  let toxics: string[] = []
  const add = async (type: string, stream: 'upstream' | 'downstream', attributes: Record<string, number>) => {
    const toxic = `${type}-${stream}`
    await call(api, 'POST', `${path}/toxics`, { name: toxic, type, stream, toxicity: 1, attributes })
    toxics.push(toxic)
  }
  const clear = async () => {
    const added = toxics
    toxics = []
    for (const toxic of added) await call(api, 'DELETE', `${path}/toxics/${toxic}`)
  }
  const set = async (
    type: string,
    streams: readonly ('upstream' | 'downstream')[],
    attributes: Record<string, number>,
  ) => {
    await clear()
    for (const stream of streams) await add(type, stream, attributes)
  }
  const streams = {
    both: ['upstream', 'downstream'],
    answers: ['downstream'],
    requests: ['upstream'],
  } as const
  return {
    url: isUrl ? through.href : through.host,
    port,
    cut: () => call(api, 'POST', path, { enabled: false }),
    restore: async () => {
      await clear()
      await call(api, 'POST', path, { enabled: true })
    },
    slow: (ms) => set('latency', ['downstream'], { latency: ms }),
    reset: () => set('reset_peer', ['upstream', 'downstream'], { timeout: 0 }),
    blackhole: (what = 'both') => set('timeout', streams[what], { timeout: 0 }),
    remove: () => call(api, 'DELETE', path),
  }
}

async function call(api: string, method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`${api}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${response.status} ${text}`)
}
