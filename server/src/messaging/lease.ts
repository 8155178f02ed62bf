/**
 * How long a send belongs to the process that recorded it, in seconds. A process that takes longer renews it; of one
 * that died another takes the send over after that.
 */
export const SEND_LEASE_SECONDS = 15
