import type { Directory } from './directory.ts'
import type { RecordStore } from './records.ts'
import { type Service, type ServiceSettings, toService } from './service.ts'
import { isSid } from './sids.ts'

/** What the operator may change of a service. */
export type ServiceChange = Partial<
  Pick<ServiceSettings, 'name' | 'codeLength' | 'codeTtlSeconds' | 'checksMax' | 'sendsMax'>
>

const PAGE = 1_000

/** Looks after the services of accounts, for the operator. */
export class Tenants {
  /** All that tenants keep here. */
  readonly records: RecordStore
  readonly #directory: Directory

  constructor(records: RecordStore, directory: Directory) {
    this.records = records
    this.#directory = directory
  }

  /** A service as it is now. */
  async find(id: string): Promise<Service | undefined> {
    const record = isSid('VA', id) ? await this.records.find(id) : undefined
    return record?.kind === 'service' ? toService(record) : undefined
  }

  /** Every service of an account, newest first. */
  async list(account: string): Promise<readonly Service[]> {
    const found: Service[] = []
    let from: { readonly cursor?: string } = {}
    for (;;) {
      const page = await this.records.list({ kind: 'service', parent: account, limit: PAGE, ...from })
      found.push(...page.data.map(toService))
      if (page.nextCursor === null) return found
      from = { cursor: page.nextCursor }
    }
  }

  /** Changes a service; undefined when there is none. */
  async change(id: string, change: ServiceChange): Promise<Service | undefined> {
    for (;;) {
      const record = isSid('VA', id) ? await this.records.find(id) : undefined
      if (record?.kind !== 'service') return undefined
      const body = { ...(JSON.parse(record.body) as ServiceSettings), ...change }
      const changed = await this.records.change(id, record.version, { body: JSON.stringify(body) })
      // Somebody else has changed it since it was read: what they said stays, where this says nothing.
      if (!changed) continue
      this.#directory.forget(id)
      return toService(changed)
    }
  }
}
