/** The tags that a copy carries over, where the bytes do not go in one CopyObject. */
import { encodeComponent } from './auth/canonical-request.ts'
import { child, childrenNamed, childText, type XmlElement } from './xml.ts'

/** The value of `x-amz-tagging` for an answer of GetObjectTagging; `undefined` for an object without tags. */
export function taggingOf(document: XmlElement): string | undefined {
  const set = child(document, 'TagSet')
  const pairs = (set === undefined ? [] : childrenNamed(set, 'Tag')).map(
    (tag) => `${encodeComponent(childText(tag, 'Key') ?? '')}=${encodeComponent(childText(tag, 'Value') ?? '')}`,
  )
  return pairs.length === 0 ? undefined : pairs.join('&')
}

/** What the headers of a copy say of the new object: no directives, and not the source's owner; a PUT would not know them. */
export function withoutDirectives(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'x-amz-tagging-directive': _directive, 'x-amz-source-expected-bucket-owner': _owner, ...attributes } = headers
  return attributes
}
