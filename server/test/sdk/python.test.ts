import { join } from 'node:path'
import { test } from 'vitest'
import { findProgram } from '../../../scripts/services/tools.ts'
import { installTwilioPython } from '../../../scripts/services/twilio-sdks.ts'
import { describeWith } from '../helpers/services.ts'
import { expectVisit } from './visit.ts'

describeWith('twilio-python', 'Twilio’s own SDK for Python', () => {
  test('meets here what it meets at Twilio', async () => {
    const program = join(import.meta.dirname, 'python/visit.py')
    await expectVisit(findProgram('python3') ?? 'python3', [program], {
      PYTHONPATH: await installTwilioPython(),
    })
  })
})
