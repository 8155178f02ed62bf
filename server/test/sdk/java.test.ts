import { join } from 'node:path'
import { test } from 'vitest'
import { findProgram } from '../../../scripts/services/tools.ts'
import { installTwilioJava } from '../../../scripts/services/twilio-sdks.ts'
import { describeWith } from '../helpers/services.ts'
import { expectVisit } from './visit.ts'

describeWith('twilio-java', 'Twilio’s own SDK for Java', () => {
  test('meets here what it meets at Twilio', async () => {
    const program = join(import.meta.dirname, 'java/Visit.java')
    const jars = join(await installTwilioJava(), '*')
    const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
    await expectVisit(findProgram('java') ?? 'java', [...quick, '-cp', jars, program])
  })
})
