import { pino, type DestinationStream, type Logger } from 'pino'
import type { Config } from './config.ts'

/** Lines are written together, at least four times a second; `serve` flushes what is left. */
const LOG_OUT = { dest: 1, sync: false, minLength: 32_768, maxWrite: 65_536, periodicFlush: 250 }
/** Of several processes on one pipe, what one writes at once stays whole up to this; so every write is whole lines. */
const SHARED_LOG_OUT = { ...LOG_OUT, minLength: 4_095, maxWrite: 4_096 }

/** Structured lines without process id and host name, which the platform adds by itself. */
export function makeLog(
  config: Config,
  options: { readonly to?: DestinationStream | undefined; readonly worker?: number | undefined } = {},
): Logger {
  const { to, worker } = options
  const settings = {
    level: config.log.level,
    base: worker === undefined ? null : { worker },
    // Second line of defence: nothing of this is ever logged on purpose.
    redact: { paths: ['code', 'otp', 'authorization'], censor: '[gone]' },
  }
  if (to) return pino(settings, to)
  const out = pino.destination(config.workers === 1 ? LOG_OUT : SHARED_LOG_OUT)
  // A log that cannot be written (a full disk, a closed pipe) loses lines; it does not stop the server.
  // At exit sonic-boom tries to write what is left until it succeeds, so after an error nothing is left to write.
  const flushSync = out.flushSync.bind(out)
  out.on('error', () => (out.flushSync = () => {}))
  out.on('write', () => (out.flushSync = flushSync))
  return pino(settings, out)
}
