import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { SCHEMA_VERSION } from '../../src/stores/sqlite/migrations.ts'
import { countersign, endAll, makeFolder } from './cli.ts'

const run = (line: string, cwd: string) => countersign(line.split(' '), { cwd })

afterAll(endAll)

describe.concurrent('migrate', () => {
  test('--status tells that there is no schema yet, exit code 1, and makes no file', async () => {
    const cwd = makeFolder()
    const { code, stdout, stderr } = await run('migrate --status', cwd)
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: `schema 0, this version knows ${SCHEMA_VERSION}\n`,
      stderr: '',
    })
    expect(readdirSync(cwd)).toEqual([])
  })

  test('brings a new database to this version’s schema once; --status is 0 from then on', async () => {
    const cwd = makeFolder()
    expect(await run('migrate', cwd)).toMatchObject({ code: 0, stdout: `schema 0 → ${SCHEMA_VERSION}\n` })
    expect(await run('migrate', cwd)).toMatchObject({
      code: 0,
      stdout: `schema ${SCHEMA_VERSION}: nothing to do\n`,
    })
    expect(await run('migrate --status', cwd)).toMatchObject({
      code: 0,
      stdout: `schema ${SCHEMA_VERSION}, this version knows ${SCHEMA_VERSION}\n`,
    })
    // It touches the database alone: no secret is made, no key.
    expect(readdirSync(join(cwd, 'data'))).toEqual(['countersign.db'])
  })
})

describe.concurrent('a database of a newer version', () => {
  test.for(['serve', 'migrate', 'migrate --status', 'doctor', 'keys create', 'send +14155552671'])(
    '`%s` refuses it, naming both schemas, exit code 1, and leaves it as it was',
    async (line) => {
      const cwd = makeFolder()
      const path = join(cwd, 'data/countersign.db')
      makeNewer(path)
      const before = digest(path)
      const { code, stdout, stderr } = await run(line, cwd)
      expect(code).toBe(1)
      expect(stdout + stderr).toContain('schema 999')
      expect(stdout + stderr).toMatch(
        line === 'migrate --status'
          ? /this version knows \d+/
          : /made by a newer version; this one knows \d+/,
      )
      expect(digest(path)).toBe(before)
    },
  )
})

describe.concurrent('a database that cannot be used', () => {
  test.for(['serve', 'migrate', 'doctor', 'keys list'])(
    '`%s` names the file that is none and leaves it as it was, exit code 1',
    async (line) => {
      const cwd = makeFolder()
      const path = join(cwd, 'data/countersign.db')
      mkdirSync(dirname(path))
      writeFileSync(path, 'not a database at all\n'.repeat(100))
      const before = digest(path)
      const { code, stdout, stderr } = await run(line, cwd)
      expect(code).toBe(1)
      expect(stdout + stderr).toMatch(/the database data\/countersign\.db: file is not a database$/m)
      expect(digest(path)).toBe(before)
    },
  )
})

/** A database as a later release leaves it. */
function makeNewer(path: string): void {
  mkdirSync(dirname(path))
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE later (id TEXT); PRAGMA user_version = 999')
  db.close()
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
