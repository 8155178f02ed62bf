import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The processes of a test file that still run: whoever starts one adds it and takes it out when it has ended. */
export const running = new Set<ChildProcess>()
const folders: string[] = []

/** A new temporary folder, deleted by `endAll`. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  folders.push(folder)
  return folder
}

/** Ends every process that still runs and deletes every folder: the `afterAll` of a file that starts any. */
export async function endAll(): Promise<void> {
  const live = [...running].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  running.clear()
  await Promise.all(
    live.map(
      (child) =>
        new Promise((resolve) => {
          child.once('exit', resolve)
          child.kill('SIGKILL')
        }),
    ),
  )
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}
