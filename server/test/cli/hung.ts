/** After how long the server of `impatient.ts` takes a worker for hung, in milliseconds. */
export const HUNG_MS = 2_500
