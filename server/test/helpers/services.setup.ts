import { startServices } from '../../../scripts/services/index.ts'

/**
 * Starts the services once for the whole run: Vitest's `globalSetup`. Forks inherit the environment, where
 * `helpers/services.ts` finds them. In CI a service that is missing fails the run.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const { environment, missing, stop } = await startServices()
  const reasons = Object.entries(missing).map(
    ([name, reason]) => `  ${name}: ${reason.replaceAll('\n', '\n    ')}`,
  )
  if (reasons.length > 0 && process.env['CI'] === 'true') {
    await stop()
    throw new Error(`In CI every service is needed. Missing:\n${reasons.join('\n')}`)
  }
  if (reasons.length > 0)
    process.stderr.write(`\n!!! TESTS WILL BE SKIPPED. Services that are missing:\n${reasons.join('\n')}\n\n`)
  Object.assign(process.env, environment, { TEST_SERVICES_MISSING: JSON.stringify(missing) })
  return stop
}
