// Runs one service, and ends it when whoever asked for it is gone: this process's standard input closes then, even
// after kill -9. Until then every line on standard input is a signal to pass on.
//
// node watchdog.ts FOLDER LAST_SIGNAL COMMAND [ARGUMENT…]
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'

const GRACE_MS = 3000

const [folder = '', lastSignal = 'SIGKILL', command = '', ...args] = process.argv.slice(2)
let isOrphan = false

// A process group of its own, so that what the service has started can be ended with it.
const service = spawn(command, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
service.once('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(127)
})
service.once('exit', (code, signal) => {
  if (isOrphan) {
    endGroup()
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  }
  process.exit(signal === null ? (code ?? 1) : 1)
})

process.stdin.setEncoding('utf8')
process.stdin.on('data', (lines: string) => {
  for (const line of lines.split('\n')) if (line !== '') service.kill(line as NodeJS.Signals)
})
process.stdin.once('close', end)
process.once('SIGTERM', end)

function end(): void {
  isOrphan = true
  service.kill(lastSignal as NodeJS.Signals)
  setTimeout(() => service.kill('SIGKILL'), GRACE_MS)
}

function endGroup(): void {
  try {
    process.kill(-Number(service.pid), 'SIGKILL')
  } catch {
    // Nobody was left.
  }
}
