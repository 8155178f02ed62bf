import { substitutionProblem, type Templates } from '../../messaging/templates.ts'
import type { Service } from '../../services/service.ts'
import type { TermsRequest } from '../../verify/terms.ts'
import { TwilioRefusal } from './errors.ts'
import type { Form } from './form.ts'

/**
 * The template that a start by SMS goes by, its own or its service's, and what stands in its places. Throws 60228, 60224
 * and 60200.
 */
export function readTemplate(
  form: Form,
  service: Service,
  templates: Templates,
): Pick<TermsRequest, 'template' | 'substitutions'> {
  const given = form.texts('TemplateCustomSubstitutions') ?? {}
  const id = form.text('TemplateSid') || service.templateId
  if (!id) return {}
  const template = templates.find(id)
  if (!template) throw new TwilioRefusal(60228)
  // What no place asks for is not kept.
  const substitutions = Object.fromEntries(
    Object.entries(given).filter(([name]) => template.places.has(name)),
  )
  const problem = substitutionProblem(template, substitutions)
  if (problem === 'missing') throw new TwilioRefusal(60224)
  if (problem === 'refused') throw new TwilioRefusal(60200, 'TemplateCustomSubstitutions')
  return { template: id, substitutions }
}
