import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** Linux counts in ticks, 100 a second on every machine that Node runs on. */
const tickMicros = 10_000
const hasProc = existsSync('/proc/self/stat')

/** CPU time in microseconds that a process has used in all its threads: user and system. */
export function cpuMicros(pid: number): number {
  if (!hasProc) return psCpuMicros(pid)
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The command name, in brackets, may hold spaces; utime and stime are fields 14 and 15, counted from 1.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickMicros
}

/** Memory in bytes that a process holds at this moment. */
export function rssBytes(pid: number): number {
  if (!hasProc)
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024
}

/** Where there is no /proc: `ps` prints `[[days-]hours:]minutes:seconds.hundredths`. */
function psCpuMicros(pid: number): number {
  const text = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  const [clock = '', days = '0'] = text.split('-').toReversed()
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), Number(days) * 24)
  return seconds * 1_000_000
}
