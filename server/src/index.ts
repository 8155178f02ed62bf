import { readConfig } from './config.ts'
import { compose, type Countersign, type Overrides } from './main.ts'

export type { Countersign, Overrides } from './main.ts'
export { ConfigError, type ConfigProblem } from './config.ts'
export { CountersignError, type ErrorCode } from './primitives/errors.ts'
export type { Checked } from './verify/checks.ts'
export type { Started } from './verify/code-delivery.ts'
export type { StartRequest } from './verify/starts.ts'
export type { Purpose, Reason, Status, Verification } from './verify/verification.ts'
export type { Message, Provider, Refusal, Sent } from './messaging/provider.ts'

/**
 * Makes Countersign inside your own process: the same services as the server's, without HTTP. `settings` are the
 * names of `docs/configuration.md`, as strings; the environment is not read. Rejects with a `ConfigError` that
 * names every bad setting, and with whatever keeps a store or a provider from being made.
 */
export async function createCountersign(
  settings: Readonly<Record<string, string>> = {},
  overrides: Overrides = {},
): Promise<Countersign> {
  return compose(readConfig({ LOG_LEVEL: 'silent', ...settings }), overrides)
}
