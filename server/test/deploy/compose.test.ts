import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { composeService, type Compose, interpolate, read, readYaml } from './files.ts'

// The schema of the Compose Specification, from compose-go v2.9.0 (Apache-2.0), which `docker compose` reads files by.
const schema = JSON.parse(read('server/test/deploy/compose-spec.json')) as Record<string, unknown>
const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile({
  ...schema,
  // Ajv knows draft-07 by its older address.
  $schema: 'http://json-schema.org/draft-07/schema#',
})

const FILES = ['deploy/compose.production.yml', 'deploy/compose.staging.yml'] as const

/** Seconds of a duration such as `20s` or `1m`. */
function seconds(duration: string | undefined): number {
  const [, count = '0', unit] = /^(\d+)(s|m)$/.exec(duration ?? '') ?? []
  return Number(count) * (unit === 'm' ? 60 : 1)
}

test('the schema refuses what Compose does not know', () => {
  const production = readYaml('deploy/compose.production.yml') as Compose
  const { server } = production.services
  const services = { ...production.services, server: { ...server, stop_grace_periodd: '20s' } }
  expect(validate({ ...production, services })).toBe(false)
})

for (const path of FILES) {
  describe(path, () => {
    const compose = readYaml(path) as Compose
    const services = Object.keys(compose.services).map((name) => [name, composeService(path, name)] as const)

    test('is as the Compose Specification says', () => {
      validate(compose)
      expect(validate.errors ?? []).toEqual([])
    })

    test('only Caddy is reached from outside', () => {
      expect(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual(['caddy'])
      expect(compose.networks['data']?.internal).toBe(true)
      for (const store of ['postgres', 'redis'])
        expect(composeService(path, store).networks).toEqual(['data'])
    })

    test('the server believes Caddy, by its fixed address, and nobody else', () => {
      const { networks = {} } = composeService(path, 'caddy')
      const address = Array.isArray(networks) ? undefined : Object.entries(networks)[0]?.[1]
      const { environment = {} } = composeService(path, 'server')
      expect(environment['TRUSTED_PROXIES']).toBe(
        (address as { ipv4_address?: string } | undefined)?.ipv4_address,
      )
      expect(compose.networks['edge']?.ipam?.config[0]?.subnet).toMatch(/^172\.30\.84\./)
    })

    test('every service starts again, is bounded, and says how it is', () => {
      for (const [name, service] of services) {
        expect(service.restart, name).toBe('unless-stopped')
        expect(service.deploy?.resources.limits, name).toHaveProperty('memory')
        expect(service.image, name).toMatch(/:[^:]+$/)
        // The server's check is the image's.
        if (name !== 'server') expect(service.healthcheck, name).toBeDefined()
        for (const { condition } of Object.values(service.depends_on ?? {}))
          expect(condition, name).toBe('service_healthy')
      }
    })

    test('the server has the time to stop, no root, and nothing to write to', () => {
      const server = composeService(path, 'server')
      expect(seconds(server.stop_grace_period)).toBeGreaterThan(10)
      expect(server.user).toMatch(/^[1-9]\d*:/)
      expect(server.read_only).toBe(true)
    })

    test('further providers come from a file that may be absent, and routes from a folder that is there', () => {
      const { env_file: files, volumes } = composeService(path, 'server')
      expect(files).toEqual([{ path: './secrets/providers.env', required: false }])
      expect(volumes).toEqual(['./routing:/routing:ro'])
      expect(read('deploy/routing/README.md')).toContain('ROUTES_FILE=/routing/')
    })

    test('every secret that is used is declared, and made or asked for by make-secrets.sh', () => {
      const used = new Set(services.flatMap(([, service]) => service.secrets ?? []))
      expect(Object.keys(compose.secrets).sort()).toEqual([...used].sort())
      const script = read('deploy/make-secrets.sh')
      for (const [name, { file }] of Object.entries(compose.secrets)) {
        expect(file).toBe(`./secrets/${name}`)
        expect(script).toMatch(new RegExp(`make ${name}\\b|secrets/${name}\\b`))
      }
      const { environment = {} } = composeService(path, 'server')
      for (const [key, value] of Object.entries(environment))
        if (key.endsWith('_FILE')) expect(used).toContain(interpolate(value, {}).replace('/run/secrets/', ''))
    })
  })
}

test('Redis throws no counter away, and keeps them over a restart', () => {
  const script = read('deploy/make-secrets.sh')
  expect(script).toContain('maxmemory-policy noeviction')
  expect(script).toContain('appendonly yes')
})
