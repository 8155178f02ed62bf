import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import {
  Missing,
  ask,
  cached,
  findProgram,
  freePort,
  launch,
  makeServiceFolder,
  removeFolder,
  run,
} from './tools.ts'

const POM = join(import.meta.dirname, 'mongodb/pom.xml')
const SOURCE = join(import.meta.dirname, 'mongodb/MongoServer.java')
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
/** It lives for a test run: quick to start matters more than quick at its best. */
const JAVA_OPTIONS = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx512m']

/** A server that speaks MongoDB's protocol and keeps everything in memory. */
export type MongodbServer = { readonly url: string; remove(): Promise<void> }

/**
 * Builds it where it is not in the cache yet. This is mongo-java-server: one step at a time for each collection, so
 * `findOneAndUpdate` is as atomic as MongoDB's own, which `server/test/services.test.ts` holds it to.
 */
export function buildMongodb(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(POM)).update(readFileSync(SOURCE)).digest('hex')
  return cached(`mongodb-${version.slice(0, 12)}`, async (folder) => {
    const [maven, javac] = [findProgram('mvn'), findProgram('javac')]
    if (maven === undefined || javac === undefined)
      throw new Missing('needs a JDK (javac) and Maven (mvn) in PATH to build mongo-java-server')
    const [jars, classes] = [join(folder, 'jars'), join(folder, 'classes')]
    mkdirSync(classes)
    await run(maven, ['-q', '-B', '-f', POM, COPY, `-DoutputDirectory=${jars}`, '-DincludeScope=runtime'])
    await run(javac, ['-cp', join(jars, '*'), '-d', classes, SOURCE])
  })
}

/** Starts one, empty. */
export async function startMongodb(): Promise<MongodbServer> {
  const java = findProgram('java')
  if (java === undefined) throw new Missing('no java in PATH')
  const built = await buildMongodb()
  const folder = makeServiceFolder('mongodb')
  const port = await freePort()
  const path = [join(built, 'classes'), join(built, 'jars', '*')].join(delimiter)
  try {
    const running = await launch(folder, [java, ...JAVA_OPTIONS, '-cp', path, 'MongoServer', `${port}`], () =>
      ask(port, ''),
    )
    return {
      url: `mongodb://127.0.0.1:${port}`,
      remove: async () => {
        await running.stop('SIGKILL')
        removeFolder(folder)
      },
    }
  } catch (error) {
    removeFolder(folder)
    throw error
  }
}
