import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../app.ts'
import { hasRefreshCookie } from '../auth/cookies.ts'
import type { Services } from '../services.ts'
import type { Pages } from './pages.ts'
import { readReturnTo } from './return-to.ts'

/** The account pages: path below `/account/`, and title. Each is `web/src/pages/<name>.tsx`. */
export const ACCOUNT_PAGES = {
  'sign-in': 'Sign in',
  'sign-up': 'Create an account',
  reset: 'Reset your password',
  settings: 'Your account',
  'undo-phone-change': 'Undo a change of number',
} as const

type Name = keyof typeof ACCOUNT_PAGES

const Query = Type.Object({ return_to: Type.Optional(Type.Unsafe<unknown>({})) })

/** Serves the hosted account pages. What they do they do by calling `/api/auth` with cookies of this origin. */
export function registerAccount(app: App, { settings }: Pick<Services, 'settings'>, pages: Pages): void {
  const options = { config: { access: 'open' as const }, schema: { hide: true, querystring: Query } }
  const { brand, logoUrl } = pages.branding
  const show = (request: FastifyRequest, reply: FastifyReply, name: Name, returnTo: unknown) =>
    pages.show(reply, {
      title: `${ACCOUNT_PAGES[name]} · ${brand.name}`,
      entry: 'src/account.tsx',
      page: `src/pages/${name}.tsx`,
      // The picture of an authenticator's key, which must lie in no file.
      imageSources: ['data:'],
      data: {
        brand: {
          name: brand.name,
          logo: logoUrl,
          ...(brand.supportUrl === undefined ? {} : { support: brand.supportUrl }),
          ...(brand.termsUrl === undefined ? {} : { terms: brand.termsUrl }),
          ...(brand.privacyUrl === undefined ? {} : { privacy: brand.privacyUrl }),
        },
        ...settings.account,
        dev_mode: settings.devMode,
        has_session: hasRefreshCookie(request),
        return_to: readReturnTo(settings, typeof returnTo === 'string' ? returnTo : undefined) ?? null,
      },
    })
  for (const path of ['/account', '/account/'])
    app.get(path, options, (_request, reply) => reply.redirect('/account/settings'))
  for (const name of Object.keys(ACCOUNT_PAGES) as Name[])
    app.get(`/account/${name}`, options, (request, reply) =>
      show(request, reply, name, request.query.return_to),
    )
}
