import { afterAll, expect, test } from 'vitest'
import { makeKeyRing } from '../../src/primitives/secrets.ts'
import { webhookToken } from '../../src/primitives/twilio-signature.ts'
import { countersign, endAll, makeFolder } from './cli.ts'

const ACCOUNT = `AC${'0'.repeat(31)}1`
const SECRET_KEY = 'only-for-tests-0123456789-abcdefghijkl'
const tokenOf = (account: string, key = SECRET_KEY) =>
  countersign(['keys', 'webhook-token', account], { cwd: makeFolder(), env: { SECRET_KEY: key } })

afterAll(endAll)

test('keys webhook-token prints what an account’s webhooks are signed with, alone', async () => {
  const { code, stdout, stderr } = await tokenOf(ACCOUNT)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^[0-9a-f]{32}\n$/)
  expect(stdout.trim()).toBe(webhookToken(makeKeyRing(SECRET_KEY).current, ACCOUNT))
  expect((await tokenOf(`AC${'0'.repeat(31)}2`)).stdout).not.toBe(stdout)
})

test('keys webhook-token wants an account', async () => {
  const { code, stdout, stderr } = await tokenOf('acme')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('name an account')
})
