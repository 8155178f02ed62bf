import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DEPLOY, readYaml, readYamls } from './files.ts'

// The schemas of Kubernetes are not here. What they say was checked by hand with `kubernetes-validate --strict` (1.32 and
// 1.37) and `kustomize build`; this holds what the files say to each other and to the server.

type Labels = Readonly<Record<string, string>>
type Probe = { readonly httpGet: { readonly path: string; readonly port: string } }
type Container = {
  readonly image: string
  readonly args: readonly string[]
  readonly ports?: readonly { name: string; containerPort: number }[]
  readonly envFrom: readonly { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly resources: { readonly requests: Labels; readonly limits: Labels }
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
  readonly volumeMounts: readonly { name: string; mountPath: string; readOnly?: boolean }[]
}
type Pod = {
  readonly terminationGracePeriodSeconds?: number
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly automountServiceAccountToken?: boolean
  readonly containers: readonly [Container]
  readonly volumes: readonly { name: string }[]
}
type Workload = {
  readonly kind: string
  readonly spec: {
    readonly replicas?: number
    readonly strategy?: unknown
    readonly selector?: { matchLabels: Labels }
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod }
  }
}

const file = (name: string) => `deploy/kubernetes/${name}`
const deployment = readYaml(file('deployment.yaml')) as Workload
const pod = deployment.spec.template.spec
const [container] = pod.containers
const labels = deployment.spec.template.metadata.labels

test('every file is one of the kustomization, or an example', () => {
  const { resources } = readYaml(file('kustomization.yaml')) as { resources: readonly string[] }
  const files = readdirSync(join(DEPLOY, 'kubernetes')).filter((name) => name !== 'kustomization.yaml')
  expect(files.filter((name) => !resources.includes(name)).sort()).toEqual([
    'migration-job.yaml',
    'secret.example.yaml',
  ])
  expect(resources.filter((name) => !files.includes(name))).toEqual([])
  for (const name of files)
    for (const object of readYamls(file(name)) as readonly Workload[]) expect(object.kind).toBeTruthy()
})

test('whoever selects the pods selects those of the deployment', () => {
  type Selector = { spec: { selector?: Labels; podSelector?: { matchLabels: Labels } } }
  expect(deployment.spec.selector?.matchLabels).toEqual(labels)
  expect((readYaml(file('service.yaml')) as Selector).spec.selector).toEqual(labels)
  expect((readYaml(file('disruption-budget.yaml')) as Workload).spec.selector?.matchLabels).toEqual(labels)
  expect((readYaml(file('network-policy.yaml')) as Selector).spec.podSelector?.matchLabels).toEqual(labels)
})

describe('the deployment', () => {
  test('never serves with fewer than it should', () => {
    expect(deployment.spec.replicas).toBeGreaterThanOrEqual(2)
    expect(deployment.spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    })
  })

  test('restarts on /healthz and routes by /readyz', () => {
    expect(container.startupProbe?.httpGet.path).toBe('/healthz')
    expect(container.livenessProbe?.httpGet.path).toBe('/healthz')
    expect(container.readinessProbe?.httpGet.path).toBe('/readyz')
    expect(container.ports).toEqual([{ name: 'http', containerPort: 8080 }])
  })

  test('gives a stop its 10 seconds after the wait before it', () => {
    const wait = Number(container.lifecycle?.preStop.exec.command[1])
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(wait + 10)
  })

  test('what writes has where to write', () => {
    const written = container.volumeMounts.filter(({ readOnly }) => readOnly !== true)
    expect(written.map(({ mountPath }) => mountPath)).toEqual(['/tmp', '/data'])
    expect(container.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name))
  })
})

for (const name of ['deployment.yaml', 'migration-job.yaml']) {
  test(`${name} runs as nobody in particular and may do nothing`, () => {
    const spec = (readYaml(file(name)) as Workload).spec.template.spec
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 })
    expect(spec.securityContext).toMatchObject({ seccompProfile: { type: 'RuntimeDefault' } })
    expect(spec.automountServiceAccountToken).toBe(false)
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(spec.containers[0].envFrom).toEqual([
      { configMapRef: { name: 'countersign' } },
      { secretRef: { name: 'countersign' } },
    ])
    expect(spec.containers[0].resources.limits['memory']).toBeTruthy()
  })
}

test('the ingress leads to nothing that is for inside', () => {
  type Ingress = {
    spec: { rules: readonly { http: { paths: readonly { path: string; pathType: string }[] } }[] }
  }
  const paths = (readYaml(file('ingress.yaml')) as Ingress).spec.rules.flatMap(({ http }) => http.paths)
  for (const inside of ['/metrics', '/readyz', '/dev/inbox', '/'])
    for (const { path, pathType } of paths)
      expect(inside === path || (pathType === 'Prefix' && inside.startsWith(`${path}/`)), inside).toBe(false)
  expect(paths.map(({ path }) => path)).toContain('/v1')
})
