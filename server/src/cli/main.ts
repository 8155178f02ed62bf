#!/usr/bin/env node
import nodeModule from 'node:module'
import { defineCommand } from 'citty'
import { VERSION } from '../version.ts'

const NODE_LEAST = 24

// An older Node would fail at the first module that it lacks, in words that help nobody.
if (Number.parseInt(process.versions.node, 10) < NODE_LEAST) {
  console.error(`Countersign needs Node ${NODE_LEAST} or later; this is Node ${process.versions.node}`)
  process.exit(1)
}

// The second start finds everything compiled: it is faster and needs less memory.
nodeModule.enableCompileCache()

// Each command is loaded when it is asked for, so that `--help` does not open a database.
const main = defineCommand({
  meta: {
    description:
      'Proves that a person controls a phone number: sends a code and checks it. Every command reads its settings from the environment and from .env in the current folder.',
  },
  subCommands: {
    serve: () => import('./serve.ts').then((module) => module.serve),
    migrate: () => import('./migrate.ts').then((module) => module.migrate),
    move: () => import('./move.ts').then((module) => module.move),
    keys: () => import('./keys.ts').then((module) => module.keys),
    services: () => import('./services.ts').then((module) => module.services),
    doctor: () => import('./doctor.ts').then((module) => module.doctor),
    send: () => import('./send.ts').then((module) => module.send),
    check: () => import('./check.ts').then((module) => module.check),
    simulate: () => import('./simulate.ts').then((module) => module.simulate),
    worker: () => import('./worker.ts').then((module) => module.worker),
  },
})

const { runCommandLine } = await import('./command-line.ts')
await runCommandLine(main, {
  name: 'countersign',
  version: VERSION,
  hint: 'To try it, without settings and without sending anything to a phone: countersign serve --dev\nTo test an app that uses Twilio, without Twilio: countersign simulate',
})
