import { join } from 'node:path'
import { test } from 'vitest'
import { buildTwilioGo } from '../../../scripts/services/twilio-sdks.ts'
import { describeWith } from '../helpers/services.ts'
import { expectVisit } from './visit.ts'

describeWith('twilio-go', 'Twilio’s own SDK for Go', () => {
  test('meets here what it meets at Twilio', async () => {
    await expectVisit(await buildTwilioGo(join(import.meta.dirname, 'go/main.go')), [])
  })
})
