import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisServer, startRedis } from './redis.ts'
import { ask, freePort } from './tools.ts'

const SLOTS = 16_384
const READY_MS = 30_000

/** A real Redis cluster: a third of the slots on each of three nodes, no replicas. */
export type RedisCluster = { readonly nodes: readonly string[]; stop(): Promise<void> }

/** Starts one, and resolves once every node calls it whole, which takes Redis about three seconds. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const busPorts = await Promise.all([freePort(), freePort(), freePort()])
  const nodes = await Promise.all(busPorts.map(startNode))
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.remove()))
  }
  try {
    for (const [index, node] of nodes.entries()) {
      const from = Math.ceil((index * SLOTS) / nodes.length)
      const to = Math.ceil(((index + 1) * SLOTS) / nodes.length) - 1
      await tell(node, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`)
      await tell(node, `CLUSTER ADDSLOTSRANGE ${from} ${to}`)
    }
    for (const [index, { port }] of nodes.entries())
      if (index > 0) await tell(nodes[0], `CLUSTER MEET 127.0.0.1 ${port} ${busPorts[index]}`)
    await Promise.all(nodes.map((node) => isWhole(node, nodes.length)))
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes: nodes.map(({ url }) => url), stop }
}

function startNode(busPort: number): Promise<RedisServer> {
  const cluster = [
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    `${busPort}`,
    '--cluster-node-timeout',
    '2000',
  ]
  return startRedis([...cluster, '--databases', '1'])
}

async function tell(node: RedisServer | undefined, command: string): Promise<void> {
  const answer = await ask(node?.port ?? 0, `${command}\r\n`)
  if (!answer.startsWith('+OK')) throw new Error(`${command}: ${answer}`)
}

async function isWhole(node: RedisServer, count: number): Promise<void> {
  const until = performance.now() + READY_MS
  for (;;) {
    const info = await ask(node.port, 'CLUSTER INFO\r\n')
    if (info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`)) return
    if (performance.now() > until) throw new Error(`the cluster is not whole: ${info}`)
    await sleep(50)
  }
}
