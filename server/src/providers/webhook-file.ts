import { makeReader, type AnswerRules } from './webhook-answers.ts'
import { compileTemplate, OWN_TEMPLATE, type WebhookTemplate } from './webhook-template.ts'

/** The request of a gateway that does not speak our form, and where its answers tell what matters. */
export type WebhookForm = WebhookTemplate & AnswerRules

const TEXTS = ['method', 'format', 'refPath', 'refusalPath'] as const
const MEMBERS: readonly string[] = [...TEXTS, 'headers', 'body', 'refusals']

/**
 * Checks what a file of a template holds, together with the URL it goes with. Without a template the URL alone is
 * checked, for our own form.
 *
 * @throws Error that says where the template or the URL is wrong; never what it holds.
 */
export function readWebhookForm(url: string, json: unknown): WebhookForm | undefined {
  if (json === undefined) {
    compileTemplate(url, OWN_TEMPLATE)
    return undefined
  }
  if (!isForm(json)) throw new Error('webhook template must be an object')
  compileTemplate(url, json)
  makeReader(json)
  return json
}

/** Whether the members are known and of their kind; what they say is for their readers to check. */
function isForm(json: unknown): json is WebhookForm {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
  const members = new Map<string, unknown>(Object.entries(json))
  const strange = [...members.keys()].findIndex((name) => !MEMBERS.includes(name))
  if (strange >= 0) throw new Error(`webhook member ${strange + 1} is none of ${MEMBERS.join(', ')}`)
  if (!members.has('format')) throw new Error('webhook format is missing')
  if (!members.has('body')) throw new Error('webhook body is missing')
  for (const name of TEXTS) {
    const member = members.get(name)
    if (member !== undefined && typeof member !== 'string') throw new Error(`webhook ${name} must be a text`)
  }
  for (const name of ['headers', 'refusals']) {
    const member = members.get(name)
    const isObject = typeof member === 'object' && member !== null && !Array.isArray(member)
    if (member !== undefined && !isObject) throw new Error(`webhook ${name} must be an object of texts`)
  }
  return true
}
