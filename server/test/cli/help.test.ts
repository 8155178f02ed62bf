import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { VERSION } from '../../src/version.ts'
import { countersign, endAll, execute, makeFolder } from './cli.ts'

/** Every command, and the words that its help must explain, each on a line of its own. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  '': ['serve', 'migrate', 'move', 'keys', 'services', 'doctor', 'send', 'check', 'simulate'],
  serve: ['--dev', '--workers'],
  migrate: ['--status'],
  move: ['--from', '--to'],
  keys: ['create', 'list', 'revoke', 'webhook-token'],
  'keys create': ['OF', '--publishable', '--origin', '--service', '--account'],
  'keys list': [],
  'keys revoke': ['ID'],
  services: ['list', 'show', 'set'],
  'services list': [],
  'services show': ['ID'],
  'services set': ['ID', '--name', '--code-length', '--code-life', '--checks', '--sends'],
  doctor: [],
  send: ['TO', '--country', '--purpose', '--locale'],
  check: ['ID', 'CODE'],
  simulate: [
    '--port',
    '--host',
    '--allow-host',
    '--account-sid',
    '--auth-token',
    '--numbers',
    '--latency-ms',
    '--delivery-ms',
    '--settings',
  ],
}

const folder = makeFolder()
const run = (line: string) =>
  countersign(
    line.split(' ').filter((word) => word !== ''),
    { cwd: folder },
  )

afterAll(endAll)

describe.concurrent('--help', () => {
  test.for(Object.entries(COMMANDS))(
    '`%s --help` says what it does and explains each of %s',
    async ([command, words]) => {
      const { code, stdout, stderr } = await run(`${command} --help`)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const name = `countersign ${command}`.trim()
      const [what = '', ...rest] = stdout.split('\n')
      expect(what).toMatch(/^[A-Z].{10,}\. \(.+\)$/)
      expect(what).toContain(`(${name} v${VERSION})`)
      expect(rest.find((line) => line.startsWith('USAGE'))).toMatch(new RegExp(`^USAGE ${name}( |$)`))
      for (const word of words) {
        const line = rest.find((each) => new RegExp(`^ +${word}(?:=<[^>]+>)? {2,}`).test(each))
        expect(line, word).toMatch(/ {2,}\S.{10,}$/)
      }
      // In a file or a pipe it is read as it is.
      expect(stdout).not.toMatch(/\p{Cc}(?<!\n)/u)
      for (const line of rest) expect(line.length, line).toBeLessThan(180)
    },
  )

  test('the help of a first-time reader names the command to begin with', async () => {
    expect((await run('--help')).stdout).toContain('countersign serve --dev')
  })

  test('what is not for people is not in it', async () => {
    const { stdout } = await run('--help')
    expect(stdout).toContain(
      'USAGE countersign serve|migrate|move|keys|services|doctor|send|check|simulate\n',
    )
    expect(stdout).not.toContain('worker')
  })

  test('-h is --help, and --version and -v tell the version', async () => {
    const [long, short, version, v] = await Promise.all(
      ['keys --help', 'keys -h', '--version', '-v'].map((line) => run(line)),
    )
    expect(short).toEqual(long)
    expect(version).toMatchObject({ code: 0, stdout: `${VERSION}\n` })
    expect(v).toEqual(version)
  })
})

describe.concurrent('words that no command knows', () => {
  test.for([
    ['nonsense', 'Unknown command nonsense', 'countersign --help'],
    ['--nonsense', 'Unknown option --nonsense', 'countersign --help'],
    ['keys nonsense', 'Unknown command nonsense', 'countersign keys --help'],
    ['keys', 'Which command?', 'countersign keys --help'],
    // Passed over, this typing slip would hand out a secret key for a browser.
    ['keys create --publishible', "Unknown option '--publishible'", 'countersign keys create --help'],
    ['serve --nonsense', "Unknown option '--nonsense'", 'countersign serve --help'],
    ['serve production', 'Too many words: what is production for?', 'countersign serve --help'],
    ['send', 'Missing required positional argument: TO', 'countersign send --help'],
    ['send +14155552671 --country', "Option '--country <value>' argument missing", 'countersign send --help'],
  ])('`%s` is refused in two lines, exit code 1', async ([line = '', problem, help]) => {
    const { code, stdout, stderr } = await run(line)
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: `${problem}\nSee: ${help}\n` })
  })

  test('without any word the usage is shown, exit code 1', async () => {
    const { code, stderr } = await run('')
    expect(code).toBe(1)
    expect(stderr).toContain('USAGE countersign')
  })

  test('an older Node is refused in one line that says which one is needed', async () => {
    const older = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.5.1' } })`
    const { code, stderr } = await countersign(['--help'], {
      cwd: folder,
      env: { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(older)}"` },
    })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'Countersign needs Node 24 or later; this is Node 22.5.1\n',
    })
  })
})

test('`npm run countersign` of the README is this command line', async () => {
  const root = join(import.meta.dirname, '../../..')
  const { code, stdout } = await execute('npm', ['run', '-s', 'countersign', '--', '--version'], {
    cwd: root,
    env: { HOME: makeFolder() },
  })
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${VERSION}\n` })
})

test('neither help nor a refused word makes a file', () => {
  expect(readdirSync(folder)).toEqual([])
})
