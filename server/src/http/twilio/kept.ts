import type { RecordKind, TenantRecord } from '../../services/records.ts'
import { isSid } from '../../services/sids.ts'
import type { Services } from '../services.ts'
import { pageView, readPage } from './pages.ts'
import type { TwilioCall } from './routes.ts'
import { notFound } from './services.ts'

/** What a record is, and what it belongs to. */
export type Kept = { readonly kind: RecordKind; readonly letters: string; readonly parent: string }

/** The record whose SID a path ends with. Throws 20404 where the parent has none such. */
export async function mustFindKept(
  { records }: Services,
  call: TwilioCall,
  { kind, letters, parent }: Kept,
  sid = call.params['Sid'] ?? '',
): Promise<TenantRecord> {
  const found = isSid(letters, sid) ? await records.find(sid) : undefined
  if (found?.kind !== kind || found.parent !== parent) throw notFound(call)
  return found
}

/** A page of the records of a kind and parent, under the address that was asked. */
export async function pageOfKept(
  { records, settings }: Services,
  { form, query, request }: TwilioCall,
  { kind, parent }: Pick<Kept, 'kind' | 'parent'>,
  as: { readonly key: string; readonly view: (record: TenantRecord) => unknown },
): Promise<unknown> {
  const { data, nextCursor } = await records.list({ kind, parent, ...readPage(form) })
  const url = settings.publicUrl + (request.url.split('?', 1)[0] ?? '')
  return pageView(as.key, data.map(as.view), { url, form, query, nextCursor })
}

/**
 * Changes a record. Who was quicker is not overruled: it is found again, and what is said of it read against what it
 * says by then.
 */
export async function changeKept(
  { records }: Services,
  find: () => Promise<TenantRecord>,
  bodyOf: (record: TenantRecord) => object | Promise<object>,
): Promise<TenantRecord> {
  for (;;) {
    const found = await find()
    const body = JSON.stringify(await bodyOf(found))
    const changed = await records.change(found.id, found.version, { body })
    if (changed) return changed
  }
}
