import { MongoClient, type MongoClientOptions, MongoServerError } from 'mongodb'
import { reasonOf } from './errors.ts'

/** The database when the URL names none; the driver's own choice is `test`. */
const DATABASE = 'countersign'
const NO_SUCH_COMMAND = 59
/** How long work that may take minutes waits for the connection itself. */
const PATIENT_CONNECT_MS = 2_500
const NAMED = /^mongodb(?:\+srv)?:\/\/[^/]+\/[^?]/

/** A client and the name of the database it is for. */
export type Connected = {
  readonly client: MongoClient
  readonly database: string
}

/**
 * Connects to a MongoDB, or to what speaks its protocol. What the URL says beyond host and database (TLS, credentials,
 * `replicaSet`, `retryWrites=false`) holds, but for the options given here. Rejects with an Error that names the hosts
 * and never a password.
 */
export async function connectMongo(url: string, options: MongoClientOptions): Promise<Connected> {
  let client: MongoClient
  try {
    client = new MongoClient(url, { appName: 'countersign', readPreference: 'primary', ...options })
  } catch {
    // The driver's own message repeats the URL, and with it the password.
    throw new Error('The MongoDB URL must have the form mongodb://[user:password@]host[:port][,…]/database')
  }
  try {
    await client.connect()
  } catch (error) {
    await client.close()
    throw unusable(nameOf(client), error)
  }
  return { client, database: NAMED.test(url) ? client.options.dbName : DATABASE }
}

/**
 * Connects for work over many documents, such as making an index: no single answer is bounded. Writes are acknowledged
 * when a majority has them on disk.
 */
export async function connectPatiently(url: string): Promise<Connected> {
  return connectMongo(url, {
    writeConcern: { w: 'majority', journal: true },
    serverSelectionTimeoutMS: PATIENT_CONNECT_MS,
    connectTimeoutMS: PATIENT_CONNECT_MS,
  })
}

/**
 * The server's own time, in milliseconds: every process that shares it agrees on it, and no stage of the query
 * language is needed for it. Servers that are older, or only alike, know the command by its first name.
 */
export async function serverTime(client: MongoClient): Promise<number> {
  const admin = client.db('admin')
  const { localTime } = await admin.command({ hello: 1 }).catch((error: unknown) => {
    if (error instanceof MongoServerError && error.code === NO_SUCH_COMMAND)
      return admin.command({ isMaster: 1 })
    throw error
  })
  if (!(localTime instanceof Date)) throw new Error('the server does not tell the time')
  return localTime.getTime()
}

/** Says where and why. The server's own code is kept, which tells a wrong password from what may pass. */
function unusable(hosts: string, cause: unknown): Error {
  const error = new Error(`MongoDB at ${hosts} cannot be used: ${reasonOf(cause)}`, { cause })
  return cause instanceof MongoServerError ? Object.assign(error, { code: cause.code }) : error
}

function nameOf({ options }: MongoClient): string {
  return options.srvHost ?? options.hosts.map(String).join()
}
