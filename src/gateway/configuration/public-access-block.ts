import { admitRoot, boolean, group, optional } from '../../s3/configuration/schema.ts'
import { child, childText, el, parseXml, xmlDocument } from '../../s3/xml.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'

const ROOT = 'PublicAccessBlockConfiguration'
const SETTINGS = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const
const SHAPE = group(Object.fromEntries(SETTINGS.map((name) => [name, optional(boolean)])))
const ALL = xmlDocument(ROOT, ...SETTINGS.map((name) => el(name, true)))

/** New buckets block everything, as they do on AWS since April 2023. */
const PUBLIC_ACCESS_BLOCK: ConfigurationKind = {
  name: 'public-access-block',
  accept: (document, { limits }) => {
    const admitted = admitRoot(parseXml(document, limits.xmlBytes), ROOT, SHAPE)
    return xmlDocument(ROOT, ...SETTINGS.map((name) => el(name, child(admitted, name)?.text ?? 'false')))
  },
  absent: { document: ALL },
  removed: 'NoSuchPublicAccessBlockConfiguration',
}

/** Whether public ACLs are refused. */
export async function blocksPublicAcls(gateway: Gateway, bucket: string): Promise<boolean> {
  const document = await gateway.documents.read(bucket, PUBLIC_ACCESS_BLOCK.name)
  if (document === undefined) return true
  return document.length > 0 && childText(parseXml(document, document.length), 'BlockPublicAcls') === 'true'
}

export const getPublicAccessBlock = getConfiguration(PUBLIC_ACCESS_BLOCK)
export const putPublicAccessBlock = putConfiguration(PUBLIC_ACCESS_BLOCK)
export const deletePublicAccessBlock = deleteConfiguration(PUBLIC_ACCESS_BLOCK)
