import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { Missing, findProgram, run } from './tools.ts'

const POLICY = '/usr/sbin/policy-rc.d'

/**
 * Installs Debian packages; one call at a time. Only as root and where apt-get is: anywhere else it throws what to
 * install by hand.
 */
export async function installPackages(names: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined)
    throw new Missing(
      `not installed. Install what Debian calls ${names.join(', ')}, or run this as root on Debian`,
    )
  // Debian starts a daemon as it installs it unless this file says no; ours run on ports of their own.
  const isPolicyOurs = !existsSync(POLICY)
  if (isPolicyOurs) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await run('apt-get', ['-q', 'update'], { env })
    const wait = ['-o', 'DPkg::Lock::Timeout=180']
    await run('apt-get', ['-q', '-y', ...wait, '--no-install-recommends', 'install', ...names], { env })
  } finally {
    if (isPolicyOurs) rmSync(POLICY, { force: true })
  }
}
