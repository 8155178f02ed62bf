/**
 * The peer in Go, `knadh/otpgateway`, on Redis. It is built here, from the Go module proxy, with a provider that carries
 * nothing; where there is no Go there is no such contestant.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const version = 'v1.1.0'
const cache = join(import.meta.dirname, 'node_modules/.cache', `otpgateway-${version}`)
const source = join(cache, 'source')
export const otpgatewaySecret = 'otpgateway-bench-secret'

/** Whether it can be built on this machine. */
export function otpgatewayExists(): boolean {
  return spawnSync('go', ['version']).status === 0
}

/** Builds it once; gives the arguments that start it with a folder of its own. Rejects where Go or the module is missing. */
export function buildOtpgateway(dataDir: string, port: number, redisUrl: string): string[] {
  if (!existsSync(join(cache, 'none.prov'))) build()
  const { hostname, port: redisPort } = new URL(redisUrl)
  const template = join(dataDir, 'none.tpl')
  writeFileSync(template, '{{ .OTP }}')
  const config = join(dataDir, 'config.toml')
  writeFileSync(
    config,
    `[app]
address = "127.0.0.1:${port}"
otp_ttl = 600
otp_max_attempts = 5
otp_max_resends = 3
root_url = "http://127.0.0.1:${port}"
logo_url = ""
favicon_url = ""
[auth.bench]
namespace = "bench"
secret = "${otpgatewaySecret}"
[store.redis]
host = "${hostname}"
port = ${redisPort}
max_active = 50
max_idle = 20
timeout = 3000000000
[provider.none]
subject = "{{ .Namespace }}"
template = "${template}"
template_type = "text"
config = "{}"
`,
  )
  return [join(cache, 'otpgateway'), '--config', config, '--prov', join(cache, 'none.prov')]
}

/** Where it looks for its own files. */
export const otpgatewayFolder = source

function build() {
  mkdirSync(source, { recursive: true })
  writeFileSync(join(cache, 'go.mod'), 'module bench\n')
  const env = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '1' }
  const run = (cwd: string, args: string[]) => {
    const { status, stdout, stderr } = spawnSync('go', args, { cwd, env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`go ${args.join(' ')}: ${stderr || stdout}`)
    return stdout
  }
  const { Dir } = JSON.parse(
    run(cache, ['mod', 'download', '-json', `github.com/knadh/otpgateway@${version}`]),
  ) as { Dir: string }
  cpSync(Dir, source, { recursive: true })
  spawnSync('chmod', ['-R', 'u+w', source])
  mkdirSync(join(source, 'providers/none'), { recursive: true })
  cpSync(join(import.meta.dirname, 'servers/otpgateway/provider.go'), join(source, 'providers/none/none.go'))
  run(source, ['build', '-o', join(cache, 'otpgateway'), './main'])
  run(source, ['build', '-buildmode=plugin', '-o', join(cache, 'none.prov'), './providers/none'])
}
