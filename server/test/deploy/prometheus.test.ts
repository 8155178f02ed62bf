import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endProcesses, makeFolder, numberOf, ServerProcess } from '../helpers/process.ts'
import { DEPLOY, read, readYaml } from './files.ts'
import { describeWithProgram, freePort, runProgram, startProgram } from './programs.ts'

const TOKEN = 'token-of-the-monitoring-tests'
const SCRAPE_MS = 1_000

type Rule = {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook: string }
}
type Panel = { readonly title: string; readonly targets: readonly { readonly expr: string }[] }
type Dashboard = {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] }
}
type Result = { readonly metric: Readonly<Record<string, string>> }

const rules = (
  readYaml('deploy/prometheus/rules.yml') as { groups: readonly { rules: readonly Rule[] }[] }
).groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(read('deploy/grafana/dashboard.json')) as Dashboard

/** A gateway that is down, and whose receipts could be read. */
const gateway = createServer((_request, response) => {
  response.writeHead(503).end()
})

/** The queries of the dashboard, with Grafana's variables put in. */
const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({
    title,
    expr: expr.replaceAll('$__rate_interval', '10s').replaceAll('$instance', '.*'),
  })),
)

/** The metrics that an expression names. */
function metricsIn(expr: string): readonly string[] {
  return [...expr.matchAll(/\b(?:countersign|process|nodejs)_\w+|\bup\b/g)].map(([name]) => name)
}

/** The anchors that GitHub makes of the headings of a page. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading ?? '')
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
  return new Set(headings.map(slug))
}

test('every alert leads to a part of the runbook that is there', () => {
  const anchors = anchorsOf(read('docs/runbook.md'))
  for (const { alert, annotations } of rules) {
    const [page, anchor] = annotations.runbook.split('#')
    expect(page, alert).toBe('docs/runbook.md')
    expect(anchors, alert).toContain(anchor)
  }
})

test('every alert has a name of its own, a severity, and a test that it fires', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  type Tests = {
    tests: readonly { alert_rule_test: readonly { alertname: string; exp_alerts: readonly unknown[] }[] }[]
  }
  const cases = (readYaml('deploy/prometheus/rules.test.yml') as Tests).tests.flatMap(
    (each) => each.alert_rule_test,
  )
  const fired = new Set(
    cases.filter(({ exp_alerts }) => exp_alerts.length > 0).map(({ alertname }) => alertname),
  )
  expect(rules.map(({ alert }) => alert).filter((name) => !fired.has(name))).toEqual([])
  for (const { labels } of rules) expect(['critical', 'warning']).toContain(labels.severity)
})

await describeWithProgram('prometheus', 'Prometheus, scraping a real server', () => {
  let server: ServerProcess
  let url = ''
  let folder = ''

  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      gateway.listen(0, '127.0.0.1', resolve)
    })
    server = await ServerProcess.start({
      settings: {
        METRICS_TOKEN: TOKEN,
        ALLOWED_COUNTRIES: 'US',
        RESEND_COOLDOWN_SECONDS: '30',
        // Its circuit opens with the first messages, and the inbox carries them all.
        SMS_PROVIDER: 'webhook,mock',
        WEBHOOK_URL: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}/`,
        WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      },
    })
    folder = makeFolder()
    cpSync(join(DEPLOY, 'prometheus'), folder, { recursive: true })
    writeFileSync(join(folder, 'token'), TOKEN)
    // The example as it is, but for where the server and its token are, and how often.
    const config = readFileSync(join(folder, 'prometheus.yml'), 'utf8')
      .replace('/etc/prometheus/countersign_metrics_token', join(folder, 'token'))
      .replace('server:8080', `127.0.0.1:${server.port}`)
      .replaceAll('15s', '1s')
    writeFileSync(join(folder, 'prometheus.yml'), config)

    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    await startProgram(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { folder, url: `${url}/-/ready` },
    )
    // Prometheus takes some seconds to find what it is to scrape. Then there is traffic between the first scrapes and the
    // last, so that rates have something to tell.
    await makeTraffic(1)
    await isTold('countersign_starts_total')
    await sleep(2 * SCRAPE_MS)
    await makeTraffic(2)
    await sleep(3 * SCRAPE_MS)
  }, 60_000)

  afterAll(async () => {
    gateway.close()
    await endProcesses()
  })

  /** One of everything that is counted: approved and wrong checks, refusals, limits, errors. */
  async function makeTraffic(round: number): Promise<void> {
    for (let n = 0; n < 5; n++) {
      const started = await server.start(numberOf(round * 100 + n))
      const { id = '', preview_code: code = '' } = started.body
      await server.check(id, code === '000000' ? '000001' : '000000')
      await server.check(id, code)
    }
    const again = numberOf(round * 100 + 50)
    await server.start(again)
    expect((await server.start(again)).status).toBe(429)
    expect((await server.start('+442071838750')).body.status).toBe('blocked')
    expect((await server.start('+1')).status).toBe(400)
    expect((await server.start(round === 1 ? '+15005550001' : '+15005550004')).status).toBe(201)
    await server.call('GET', '/readyz')
  }

  async function ask(expr: string): Promise<{ status: string; error?: string; result: readonly Result[] }> {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`)
    const { status, error, data } = (await answer.json()) as {
      status: string
      error?: string
      data?: { result: readonly Result[] }
    }
    return { status, result: data?.result ?? [], ...(error === undefined ? {} : { error }) }
  }

  /** Waits until an expression has a result. */
  async function isTold(expr: string): Promise<void> {
    const until = Date.now() + 20_000
    while ((await ask(expr)).result.length === 0) {
      if (Date.now() > until) throw new Error(`Prometheus knows nothing of ${expr}`)
      await sleep(200)
    }
  }

  test('promtool: the configuration and the rules are sound, and each alert fires as its test says', async () => {
    for (const args of [
      ['check', 'config', 'prometheus.yml'],
      ['check', 'rules', 'rules.yml'],
      ['test', 'rules', 'rules.test.yml'],
    ]) {
      const { code, output } = await runProgram('promtool', args, { cwd: folder })
      expect(output).not.toContain('FAILED')
      expect([args.join(' '), code]).toEqual([args.join(' '), 0])
    }
  })

  test('the scrape works, with the token', async () => {
    expect((await ask('up{job="countersign"} == 1')).result).toHaveLength(1)
    expect((await server.call('GET', '/metrics', { key: 'none' })).status).toBe(401)
  })

  test('every metric that a rule or the dashboard names is one that the server has', async () => {
    const scraped = await ask('count by (__name__) ({job="countersign"})')
    const names = new Set(scraped.result.map(({ metric }) => metric['__name__']))
    const used = new Set([...rules, ...queries].flatMap(({ expr }) => metricsIn(expr)))
    expect(used.size).toBeGreaterThan(10)
    expect([...used].filter((name) => !names.has(name))).toEqual([])
  })

  test('every label that is named is one that the metric has', async () => {
    for (const [metric, labels] of [
      ['countersign_starts_total', ['purpose', 'outcome']],
      ['countersign_checks_total', ['reason']],
      ['countersign_sends_total', ['provider', 'channel', 'outcome']],
      ['countersign_limited_total', ['limit']],
      ['countersign_errors_total', ['code']],
      ['countersign_request_duration_seconds_count', ['method', 'route', 'status']],
      ['countersign_send_duration_seconds_bucket', ['provider', 'le']],
      ['countersign_store_seconds_bucket', ['part', 'verb', 'le']],
      ['countersign_store_failures_total', ['part']],
      ['countersign_receipts_total', ['provider', 'outcome']],
      ['countersign_deliveries_total', ['provider', 'status']],
      ['countersign_delivery_seconds_bucket', ['provider', 'le']],
      ['countersign_circuits_open', ['provider', 'country']],
      ['countersign_build_info', ['version', 'node']],
    ] as const) {
      const { result } = await ask(metric)
      for (const label of labels) expect(Object.keys(result[0]?.metric ?? {}), metric).toContain(label)
    }
    for (const [metric, label, value] of [
      ['countersign_request_duration_seconds_count', 'route', '/v1/verifications/:id/check'],
      ['countersign_request_duration_seconds_count', 'route', '/readyz'],
      ['countersign_checks_total', 'reason', 'approved'],
      ['countersign_checks_total', 'reason', 'wrong_code'],
      ['countersign_starts_total', 'outcome', 'opened'],
      ['countersign_starts_total', 'outcome', 'blocked'],
      ['countersign_receipts_total', 'outcome', 'news'],
      ['countersign_receipts_total', 'outcome', 'old'],
      ['countersign_receipts_total', 'outcome', 'waiting'],
      ['countersign_receipts_total', 'outcome', 'forged'],
      ['countersign_deliveries_total', 'status', 'delivered'],
      ['countersign_deliveries_total', 'status', 'undelivered'],
      ['countersign_errors_total', 'code', 'delivery_unavailable'],
      ['countersign_sends_total', 'outcome', 'accepted'],
      ['countersign_store_failures_total', 'part', 'store'],
      ['countersign_store_failures_total', 'part', 'limiter'],
    ] as const)
      expect((await ask(`${metric}{${label}="${value}"}`)).result, `${metric} ${value}`).not.toEqual([])
  })

  test('every query of the dashboard has data', async () => {
    // Readiness is told for a minute after it was asked for.
    await server.call('GET', '/readyz')
    await isTold('countersign_ready == 1')
    expect(queries.length).toBeGreaterThan(12)
    for (const { title, expr } of queries) {
      const { error, result } = await ask(expr)
      expect([title, error]).toEqual([title, undefined])
      expect(result, title).not.toEqual([])
    }
    const [, instance] = dashboard.templating.list
    expect(instance?.query).toMatchObject({ query: 'label_values(up{job="countersign"}, instance)' })
  })

  test('every rule is evaluated, and a healthy server rings none that is critical', async () => {
    const answer = await fetch(`${url}/api/v1/rules`)
    const { data } = (await answer.json()) as {
      data: {
        groups: readonly {
          rules: readonly { name: string; health: string; lastError?: string; state: string }[]
        }[]
      }
    }
    const evaluated = data.groups.flatMap((group) => group.rules)
    expect(evaluated.map(({ name }) => name).sort()).toEqual(rules.map(({ alert }) => alert).sort())
    for (const { name, health, lastError } of evaluated)
      expect([name, health, lastError]).toEqual([name, 'ok', undefined])
    const critical = new Set(
      rules.filter(({ labels }) => labels.severity === 'critical').map(({ alert }) => alert),
    )
    expect(evaluated.filter(({ name, state }) => critical.has(name) && state === 'firing')).toEqual([])
  })

  test('the alarm rings in Prometheus while somebody guesses', async () => {
    for (let n = 0; n < 8; n++) {
      const { id = '', preview_code: code = '' } = (await server.start(numberOf(500 + n))).body
      for (let guess = 0; guess < 4; guess++)
        await server.check(id, String((Number(code) + 1 + guess) % 1_000_000).padStart(6, '0'))
    }
    const rule = rules.find(({ alert }) => alert === 'CountersignGuessing')
    await isTold(rule?.expr ?? '')
  })
})
