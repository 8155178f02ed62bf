import cluster from 'node:cluster'
import { settingsOrExit } from '../../src/cli/run.ts'
import { supervise } from '../../src/cli/supervisor.ts'
import { HUNG_MS } from './hung.ts'
import { MAIN } from './cli.ts'

/** `countersign serve --workers 2` that waits for less long until it takes a worker for hung. */
cluster.setupPrimary({ exec: MAIN })
await supervise(settingsOrExit({ workers: '2' }), 2, ['worker', '--workers=2'], { hungMs: HUNG_MS })
