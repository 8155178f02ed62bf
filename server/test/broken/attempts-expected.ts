// What each twin of the store that looks back at sends must be caught by: titles of the suite.

const SENDS = 'every send of a verification is one, told with its place and as the store tells both'
const ORDER =
  'the newest verification is first and of each the newest send, page by page, while others are added'
const CONVERTED = 'the newest send of an approved verification is converted, and no other'
const SERVICES = 'they are those of the services that are asked for'
const FILTERS = 'they are found by number, by what it begins with, by country, channel and verification'
const TIMES = 'they are found by the time of the send, from the one on and before the other'
const WINDOW = 'of 1001 others between them none is in the way, and of 1001 of its own none is lost'

export const ATTEMPTS_EXPECTED: Record<string, readonly string[]> = {
  'attempts: right': [],
  'attempts: oldest-first': [ORDER, CONVERTED, SERVICES, FILTERS, TIMES, WINDOW],
  'attempts: from-any-time': [FILTERS],
  'attempts: always-from-the-newest': [ORDER, FILTERS, WINDOW],
  'attempts: of-any-number': [FILTERS],
  'attempts: sends-in-no-order': [SENDS, FILTERS, TIMES],
  'attempts: ends-too-early': [ORDER, WINDOW],
  'attempts: counts-any-service': [SERVICES, FILTERS, WINDOW],
  'attempts: counts-any-number': [FILTERS],
  'attempts: counts-every-send': [CONVERTED],
  'attempts: counts-the-pending': [CONVERTED, FILTERS],
  'attempts: counts-all-times': [TIMES],
  'attempts: counts-to-the-end': [TIMES],
  'attempts: counts-any-channel': [FILTERS],
  'attempts: counts-any-country': [FILTERS],
  'attempts: counts-any-prefix': [FILTERS],
  'attempts: counts-what-came-of-it-or-not': [CONVERTED, FILTERS],
  'attempts: counts-the-last-twice': [WINDOW],
  'attempts: counts-too-few': [WINDOW],
}
