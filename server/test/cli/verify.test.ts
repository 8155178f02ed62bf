import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { decodeJwt } from 'jose'
import { countersign, endAll, makeFolder, type Ran } from './cli.ts'
import { startVendor } from './vendor.ts'

const cwd = makeFolder()
const run = (line: string) => countersign(line.split(' '), { cwd })

afterAll(endAll)

describe('send and check', () => {
  let sent: Ran
  let id: string
  let code: string

  beforeAll(async () => {
    sent = await run('send +14155552671 --purpose login')
    id = sent.stdout.trimEnd()
    code = /The code is (\d+)/.exec(sent.stderr)?.[1] ?? ''
  })

  test('send prints the id alone on standard output; the code and what to do with it beside it', () => {
    expect(sent.code).toBe(0)
    expect(id).toMatch(/^ver_\w+$/)
    expect(code).toMatch(/^\d{6}$/)
    expect(sent.stderr).toContain(`Check it: countersign check ${id} CODE\n`)
  })

  test('a wrong code is exit code 1 and says how many checks are left', async () => {
    const wrong = code.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10))
    expect(await run(`check ${id} ${wrong}`)).toMatchObject({
      code: 1,
      stdout: 'wrong_code\n',
      stderr: '4 checks left\n',
    })
  })

  test('what is no code is exit code 1 and costs no check', async () => {
    expect(await run(`check ${id} 12345x`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'A code is 4 to 10 digits\n',
    })
  })

  test('the right code is exit code 0 with a proof of the number and the purpose, once', async () => {
    const { code: exit, stdout, stderr } = await run(`check ${id} ${code}`)
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    const [answer, proof = '', ...rest] = stdout.split('\n')
    expect(answer).toBe('approved')
    expect(decodeJwt(proof)).toMatchObject({ sub: '+14155552671', purpose: 'login', vid: id })
    expect(rest).toEqual([''])
    expect(await run(`check ${id} ${code}`)).toMatchObject({ code: 1, stdout: 'already_used\n' })
  })

  test.for([
    ['check ver_0123456789 123456', 'not_found: There is no such verification\n'],
    ['send 12345', 'invalid_phone: Invalid phone number\n'],
    ['send 4155552672', 'invalid_phone: Invalid phone number\n'],
    ['send +14155552672 --purpose fun', /^--purpose: one of verify, login, .*\n$/],
  ] as const)('`%s` says in one line what is wrong, exit code 1', async ([line, told]) => {
    const { code: exit, stdout, stderr } = await run(line)
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toMatch(told)
  })

  test('a number as dialled at home is sent to with --country', async () => {
    const { code: exit, stdout } = await run('send 4155552673 --country us')
    expect(exit).toBe(0)
    expect(stdout).toMatch(/^ver_\w+\n$/)
  })

  test('a number that cannot be reached is exit code 1, and no code is shown', async () => {
    const { code: exit, stderr } = await run('send +15005550004')
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: 'failed: opted_out\n' })
  })

  test('a limit is exit code 1 and says how long to wait', async () => {
    await run('send +14155552674')
    const { code: exit, stderr } = await run('send +14155552674')
    expect(exit).toBe(1)
    expect(stderr).toMatch(/^rate_limited: .*resend_cooldown.* \(try again in \d+ s\)\n$/)
  })

  test('a code that a vendor took is not shown, although there is an inbox as well', async () => {
    const vendor = await startVendor(201, { sid: `SM${'0'.repeat(32)}`, status: 'queued' })
    onTestFinished(() => vendor.close())
    const { code: exit, stderr } = await countersign(['send', '+14155552675'], {
      cwd,
      env: { ...vendor.settings, SMS_PROVIDER: 'twilio,mock' },
    })
    expect(exit).toBe(0)
    expect(vendor.requests).toHaveLength(1)
    expect(stderr).toContain('by twilio')
    expect(stderr).not.toMatch(/The code is|\b\d{6}\b/)
  })
})
