import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CountersignError } from '../../primitives/errors.ts'
import type { App } from '../app.ts'
import { STATUS } from '../errors.ts'
import { type Brand, type Branding, makeBranding } from './brand.ts'
import { type BuiltPages, ENCODINGS, type Encoding, etagOf, readBuiltPages } from './built-pages.ts'
import { policyOf, renderMissing, renderShell } from './shell.ts'

/** A page to be shown. */
export type PageRequest = {
  readonly title: string
  /** The source of its entry and, where that has several pages, of the one it begins with. */
  readonly entry: string
  readonly page?: string
  readonly data: object
  /** What pictures may come from besides this server and the brand's logo. */
  readonly imageSources?: readonly string[]
}

/** What shows the pages that were built. */
export type Pages = {
  readonly branding: Branding
  show(reply: FastifyReply, page: PageRequest): FastifyReply
}

const YEAR = 'public, max-age=31536000, immutable'
const AssetName = Type.Object({ name: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,100}$' }) })

/**
 * Serves the files of the pages: `/account/assets/…`, the brand's style sheet and its logo. They are read once, here;
 * `folder` is where they were built.
 */
export function registerPages(app: App, brand: Brand, folder?: string): Pages {
  const built = readBuiltPages(folder)
  const branding = makeBranding(brand)
  const open = { config: { access: 'open' as const } }
  app.get('/account/assets/:name', { ...open, schema: { hide: true, params: AssetName } }, (request, reply) =>
    sendAsset(built, request, reply),
  )
  app.get('/account/brand.css', { ...open, schema: { hide: true } }, (request, reply) =>
    sendBytes(request, reply, { type: 'text/css; charset=utf-8', bytes: Buffer.from(branding.css) }),
  )
  app.get('/account/logo', { ...open, schema: { hide: true } }, (request, reply) =>
    // A drawing that is opened by itself is a document, and could hold scripts.
    sendBytes(
      request,
      reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
      branding.image,
    ),
  )
  return { branding, show: (reply, page) => showPage(built, branding, reply, page) }
}

function showPage(
  built: BuiltPages | undefined,
  branding: Branding,
  reply: FastifyReply,
  { title, entry, page, data, imageSources = [] }: PageRequest,
): FastifyReply {
  reply.headers({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policyOf(
      new Set([...imageSources, ...(branding.imageSource === undefined ? [] : [branding.imageSource])]),
    ),
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
  })
  if (built === undefined) return reply.code(STATUS.not_found).send(renderMissing())
  return reply.send(renderShell({ title, parts: built.partsOf(entry, page), branding, data }))
}

function sendAsset(
  built: BuiltPages | undefined,
  request: FastifyRequest<{ Params: { name: string } }>,
  reply: FastifyReply,
): FastifyReply {
  const asset = built?.asset(request.params.name)
  if (asset === undefined) throw new CountersignError('not_found', 'There is no such file')
  // Its name changes with what is in it.
  reply.headers({ 'cache-control': YEAR, etag: asset.etag, vary: 'accept-encoding' })
  if (isFresh(request, asset.etag)) return reply.code(304).send()
  reply.header('content-type', asset.type)
  const encoding = ENCODINGS.find((one) => asset.encoded.has(one) && accepts(request, one))
  const bytes = encoding === undefined ? asset.bytes : asset.encoded.get(encoding)
  if (encoding !== undefined) reply.header('content-encoding', encoding)
  return reply.send(bytes)
}

/** Sends what has one name whatever is in it; a query that names its version may be kept for good. */
function sendBytes(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, bytes }: { readonly type: string; readonly bytes: Buffer },
): FastifyReply {
  const etag = etagOf(bytes)
  reply.headers({ etag, 'cache-control': request.url.includes('?v=') ? YEAR : 'no-cache' })
  if (isFresh(request, etag)) return reply.code(304).send()
  return reply.header('content-type', type).send(bytes)
}

function isFresh({ headers }: FastifyRequest, etag: string): boolean {
  const known = headers['if-none-match'] ?? ''
  return known.split(',').some((one) => opaque(one.trim()) === opaque(etag))
}

/** An entity tag as weak comparison takes it (RFC 9110, 8.8.3.2). */
function opaque(etag: string): string {
  return etag.replace(/^W\//, '')
}

function accepts({ headers }: FastifyRequest, encoding: Encoding): boolean {
  const accepted = (headers['accept-encoding']?.toString() ?? '').split(',')
  return accepted.some((one) => {
    const [name = '', quality = ''] = one.split(';').map((part) => part.trim())
    return name === encoding && !/^q=0(?:\.0*)?$/.test(quality)
  })
}
