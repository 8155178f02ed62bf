import { MongoError, MongoServerError } from 'mongodb'
import { CountersignError } from '../../primitives/errors.ts'

/** The code of what a unique index, or the primary key, refuses. */
export const DUPLICATE_KEY = 11_000

/** Whether a unique index, or the primary key, refused a document. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY
}

/** Turns whatever the driver throws into the one refusal a caller can act on. */
export function unavailable(cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause
  const detail = 'The store cannot be reached at the moment'
  const kept = cause instanceof MongoError ? new Error(reasonOf(cause)) : cause
  return new CountersignError('store_unavailable', detail, { retryAfterSeconds: 1 }, kept)
}

/**
 * Why a call to MongoDB failed, in words that may be logged. What a server says of a refusal can hold values of the
 * document, so numbers; its code does not. What the driver says itself holds hosts and ports at most.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof MongoServerError) return `${error.name} ${error.codeName ?? error.code ?? ''}`.trim()
  return error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'
}
