// Runs types, lint, format, docs and every test, and closes with the one line that says how it went.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Report = { numPassedTests: number; numFailedTests: number; numPendingTests: number; success: boolean }

const GATES: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['tsc', '-p', '.']],
  ['types of client', ['tsc', '-p', 'client']],
  ['types of react', ['tsc', '-p', 'react']],
  ['types of web', ['tsc', '-p', 'web']],
  ['lint', ['oxlint', '--type-aware', '--deny-warnings', '--quiet']],
  ['format', ['prettier', '--check', '--log-level', 'warn', '.']],
  ['generated docs', ['node', 'scripts/generate-config-docs.ts', '--check']],
  ['generated types', ['node', 'scripts/generate-client-types.ts', '--check']],
]

let passed = 0
let failed = 0
// Most of it waits for the network, so it goes on beside the gates. What it cannot do is told when the tests start.
const prepared = once(spawn('node', ['scripts/services/prepare.ts'], { stdio: 'ignore' }), 'exit')
for (const [name, [command, ...args]] of GATES) {
  const { status } = spawnSync(command ?? '', args, { stdio: 'inherit' })
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`)
  if (status === 0) passed++
  else failed++
}

await prepared

const long = process.argv.includes('--long')
const folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
const report = join(folder, 'report.json')
const filter = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const run = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filter],
  { stdio: 'inherit', env: { ...process.env, ...(long ? { TEST_LONG: '1' } : {}) } },
)
let skipped = 0
try {
  const { numPassedTests, numFailedTests, numPendingTests, success } = JSON.parse(
    readFileSync(report, 'utf8'),
  ) as Report
  passed += numPassedTests
  failed += numFailedTests
  skipped = numPendingTests
  // A file that cannot even be loaded fails without a failed test.
  if (!success && numFailedTests === 0) failed++
} catch {
  failed++
}
rmSync(folder, { recursive: true, force: true })
if (run.status !== 0 && failed === 0) failed++
if (skipped > 0) console.log(`\n${skipped} tests skipped: see their names above for what is missing`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
