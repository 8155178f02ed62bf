import { SqliteAttempts } from '../../src/stores/sqlite/attempts.ts'
import { SqliteMessaging } from '../../src/stores/sqlite/messaging.ts'
import { SqliteVerifications } from '../../src/stores/sqlite/verifications.ts'
import { describeAttempts } from '../conformance/attempts.ts'
import { MiswrittenSqlite, type Slip } from './miswritten-sqlite.ts'

// Twins of the SQLite store, each with one step made wrong. See `verify-store.suite.ts`.

const WINDOW = 'id >= ? AND id < ? ORDER BY id DESC LIMIT ?'

const SLIPS: Record<string, Slip> = {
  right: ['', ''],
  'oldest-first': [WINDOW, 'id >= ? AND id < ? ORDER BY id LIMIT ?'],
  'from-any-time': [WINDOW, "id > coalesce('ver_', ?) AND id < ? ORDER BY id DESC LIMIT ?"],
  'always-from-the-newest': [WINDOW, "id >= ? AND id < coalesce('ver_g', ?) ORDER BY id DESC LIMIT ?"],
  'of-any-number': ['phone = ? AND id >= ?', "? > '' AND id >= ?"],
  'sends-in-no-order': ['ORDER BY owner, seq', 'ORDER BY owner, seq DESC'],
  // What no look comes to.
  'ends-too-early': [WINDOW, 'id >= ? AND id < ? ORDER BY id DESC LIMIT ? - 1'],
  // Counts what the list does not show.
  'counts-any-service': ['v.service IN (SELECT value FROM json_each(?3))', 'json_array_length(?3) > 0'],
  'counts-any-number': ['phone = ?11 AND', '?11 IS NOT NULL AND'],
  'counts-every-send': ['later.seq > s.seq', 'later.seq > s.seq AND 0'],
  'counts-the-pending': ["v.status = 'approved' AND", 'v.status IS NOT NULL AND'],
  'counts-all-times': ['s.at >= CAST(?7', '0 <= CAST(?7'],
  'counts-to-the-end': ['s.at < CAST(?8', '0 < CAST(?8'],
  'counts-any-channel': ['s.channel = CAST(?6', "'' < CAST(?6"],
  'counts-any-country': ['v.country = CAST(?5', "'' < CAST(?5"],
  'counts-any-prefix': ['substr(v.phone, 1, length(CAST(?4 AS text))) =', 'CAST(?4 AS text) ='],
  'counts-what-came-of-it-or-not': ['converted = CAST(?9', '0 <= CAST(?9'],
  'counts-the-last-twice': ['id < ?2 ORDER BY', 'id <= ?2 ORDER BY'],
  'counts-too-few': ['ORDER BY id DESC LIMIT ?10', 'ORDER BY id DESC LIMIT ?10 - 1'],
}

function describeTwin(name: string, slip: Slip): void {
  describeAttempts(name, async (clock) => {
    const db = new MiswrittenSqlite(slip)
    return {
      verifications: new SqliteVerifications(db, clock),
      messaging: new SqliteMessaging(db, clock),
      attempts: new SqliteAttempts(db, clock),
      close: async () => db.close(),
    }
  })
}

for (const [name, slip] of Object.entries(SLIPS)) describeTwin(name, slip)
