/** The tags that a copy carries over, where the bytes do not go in one CopyObject. */
import { renderTaggingHeader, tagsIn } from './tags.ts'
import { child, type XmlElement } from './xml.ts'

/** The value of `x-amz-tagging` for an answer of GetObjectTagging; `undefined` for an object without tags. */
export function taggingOf(document: XmlElement): string | undefined {
  const tags = tagsIn(child(document, 'TagSet'))
  return tags.length === 0 ? undefined : renderTaggingHeader(tags)
}

/** What the headers of a copy say of the new object: no directives, and not the source's owner; a PUT would not know them. */
export function withoutDirectives(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'x-amz-tagging-directive': _directive, 'x-amz-source-expected-bucket-owner': _owner, ...attributes } = headers
  return attributes
}
