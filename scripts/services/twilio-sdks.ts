import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPip } from './moto.ts'
import { Missing, cached, findProgram, run } from './tools.ts'

const PYTHON = 'twilio==9.13.0'
const GO = 'github.com/twilio/twilio-go@v1.31.0'
const POM = join(import.meta.dirname, 'twilio-java/pom.xml')
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

/** Installs Twilio's SDK for Python, from wheels alone, where it is not in the cache yet; gives its folder. */
export function installTwilioPython(): Promise<string> {
  return cached(`twilio-python-${PYTHON.replace('==', '-')}`, async (folder) => {
    const python = findPip()
    if (python === undefined)
      throw new Missing('needs Python (python3, with pip) in PATH to install Twilio’s SDK')
    const quiet = ['-q', '--disable-pip-version-check', '--no-compile']
    await run(python, [
      '-m',
      'pip',
      'install',
      ...quiet,
      '--only-binary',
      ':all:',
      '--target',
      folder,
      PYTHON,
    ])
  })
}

/** Fetches Twilio's SDK for Java, and what it needs, where it is not in the cache yet; gives the folder of the jars. */
export function installTwilioJava(): Promise<string> {
  return cached(`twilio-java-${digest(POM)}`, async (folder) => {
    const maven = findProgram('mvn')
    if (maven === undefined || findProgram('javac') === undefined)
      throw new Missing('needs a JDK (javac) and Maven (mvn) in PATH to fetch Twilio’s SDK')
    await run(maven, ['-q', '-B', '-f', POM, COPY, `-DoutputDirectory=${folder}`, '-DincludeScope=runtime'])
  })
}

/** Builds a program with Twilio's SDK for Go where it is not in the cache yet. */
export async function buildTwilioGo(source: string): Promise<string> {
  const folder = await cached(`twilio-go-${digest(source, GO)}`, async (folder) => {
    const go = findProgram('go', ['/usr/local/go/bin'])
    if (go === undefined) throw new Missing('needs Go (go) in PATH to build with Twilio’s SDK')
    copyFileSync(source, join(folder, 'main.go'))
    for (const args of [
      ['mod', 'init', 'visit'],
      ['get', GO],
      ['mod', 'tidy'],
      ['build', '-o', 'program', '.'],
    ])
      await run(go, args, { cwd: folder })
  })
  return join(folder, 'program')
}

function digest(file: string, more = ''): string {
  return createHash('sha256').update(readFileSync(file)).update(more).digest('hex').slice(0, 12)
}
