import type { MessagingStore, PlannedSend } from '../../src/messaging/store.ts'

let number = 0

/** A send that nobody has recorded yet. */
export function planned(send: Partial<PlannedSend> = {}): PlannedSend {
  return {
    id: `snd_${++number}`,
    provider: 'twilio',
    channel: 'sms',
    sender: null,
    country: 'US',
    cause: 'start',
    price: null,
    ...send,
  }
}

/** Settles a send as taken under this ref, and records it before if it was not. */
export async function settled(
  store: MessagingStore,
  owner: string,
  { ref, ...send }: Partial<PlannedSend> & { readonly ref: string },
): Promise<string> {
  const plan = planned(send)
  const { id } = plan
  if (send.id === undefined) await store.recordSend(owner, plan)
  await store.settleSend(
    { owner, id, fence: 1 },
    { status: 'accepted', error: null, ref, vendorCode: null, price: null, watchSeconds: null },
  )
  return id
}
