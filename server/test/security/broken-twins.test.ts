import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeFolder } from '../helpers/process.ts'

type Report = {
  testResults: { assertionResults: { ancestorTitles: string[]; title: string; status: string }[] }[]
}

const CONFIG = join(import.meta.dirname, '../broken/vitest.config.ts')
const VITEST = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')

/** Of each adapter the titles that failed, and how many tests it was put to. */
const failed = new Map<string, string[]>()
const counts = new Map<string, number>()

beforeAll(() => {
  const output = join(makeFolder(), 'report.json')
  const args = [VITEST, 'run', '--config', CONFIG, '--reporter=json', `--outputFile=${output}`]
  // It ends with 1, because tests fail. That the report is there and complete is what counts.
  const { stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
  let report: Report
  try {
    report = JSON.parse(readFileSync(output, 'utf8')) as Report
  } catch {
    throw new Error(`the suites did not run: ${stderr}`)
  }
  for (const { ancestorTitles, title, status } of report.testResults.flatMap(
    (file) => file.assertionResults,
  )) {
    const adapter = ancestorTitles[0] ?? ''
    counts.set(adapter, (counts.get(adapter) ?? 0) + 1)
    failed.set(adapter, [...(failed.get(adapter) ?? []), ...(status === 'passed' ? [] : [title])])
  }
}, 120_000)

const R3 = 'R3: of 1,000 concurrent wrong guesses exactly 5 are judged'
const R4 = 'R4: of 1,000 concurrent right guesses exactly one approves'
const R5 =
  'R5: 499 wrong and 1 right at once: at most 5 judged, at most 1 approved, never locked and approved'
const RACE = 'approve and cancel at once: exactly one wins'

const SINCE = 'hits before `since` do not count for its rule, and count for the others'

/** What each breakage must be caught by, and what it must not disturb: everything else. */
const EXPECTED: Record<string, readonly string[]> = {
  'verify store: right': [],
  'verify store: read-then-write': [R4, R3, R5, RACE],
  'verify store: always-canceled': [
    'A10: a second end of the same verification changes nothing and says so',
    RACE,
  ],
  'verify store: not-unique': ['200 concurrent opens for one number: one opens, all see it'],
  'verify store: fresh-budget': [
    'R8, R9: the number’s budget survives cancel, expiry and new verifications over all services and purposes',
  ],
  'verify store: fresh-guesses': [
    'R7: a resend keeps the guesses',
    'guesses, budget and sends survive a restart',
  ],
  'verify store: late-reaper': [
    'F22: with the clock set back, a number still has one pending verification, and what expired stays so',
    'R12: right until the last millisecond, expired from it on, with nothing swept',
    'an expired one makes room for a new one',
  ],
  'verify store: not-consumed': [
    R4,
    RACE,
    'R13: an approved code is used for ever, also after a restart',
    'latest and latestApproved look at one number of one service',
    'the situation of a number: what is pending, else what was last, and the newest approval over all',
  ],
  'counters: right': [],
  'counters: get-then-set': ['R21: of 1,000 concurrent hits at a limit of 5, exactly 5 pass', SINCE],
  'counters: fixed-windows': [
    'R21: no double burst across a window edge',
    // It knows how many hits there were and not when, so it cannot leave out the early ones.
    SINCE,
    'F22: a clock set back an hour neither opens a counter nor locks it for ever',
  ],
  'counters: partial-take': ['a refused take counts on no counter, whichever refused'],
}

/** Fails where the right guess happens to be among the first five, which is one time in two. */
const MAY_FAIL: Record<string, readonly string[]> = { 'verify store: not-consumed': [R5] }

test('every broken adapter is there and was put to the whole suite', () => {
  expect([...counts.keys()].sort()).toEqual(Object.keys(EXPECTED).sort())
  for (const [adapter, count] of counts) expect(count, adapter).toBeGreaterThan(9)
})

describe('the conformance suite', () => {
  test.each(Object.entries(EXPECTED))('of %s fails exactly what must', (adapter, titles) => {
    const found = failed.get(adapter)?.filter((title) => !MAY_FAIL[adapter]?.includes(title))
    expect(found?.sort()).toEqual([...titles].sort())
  })
})
