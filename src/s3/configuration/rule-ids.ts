/** Ids of rules, which S3 makes where a client left them out. */
import { S3Error } from '../errors.ts'
import { childText, type XmlElement } from '../xml.ts'

const MAX_ID_CHARACTERS = 255

/** Throws `InvalidArgument` for an id that is too long or there twice (B103). */
export const checkRuleIds = (rules: readonly XmlElement[], name = 'ID'): void => {
  const seen = new Set<string>()
  for (const rule of rules) {
    const id = childText(rule, name) ?? ''
    if (id === '') continue
    if (id.length > MAX_ID_CHARACTERS) {
      throw new S3Error('InvalidArgument', {
        message: `ID length should not exceed allowed limit of ${MAX_ID_CHARACTERS}`,
      })
    }
    if (seen.has(id))
      throw new S3Error('InvalidArgument', { message: 'Rule ID must be unique. Found same ID for more than one rule' })
    seen.add(id)
  }
}

/** The same rules, each with an id in front. */
export const withRuleIds = (rules: readonly XmlElement[], newId: () => string, name = 'ID'): readonly XmlElement[] =>
  rules.map((rule) => {
    const id = childText(rule, name) ?? ''
    const others = rule.children.filter((child) => child.name !== name)
    return { ...rule, children: [{ name, text: id === '' ? newId() : id, children: [] }, ...others] }
  })
