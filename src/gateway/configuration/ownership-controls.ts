import { decodeGrants, grantsOthers } from '../../s3/acl.ts'
import { invalidArgument, S3Error } from '../../s3/errors.ts'
import { admitRoot, group, oneOf, required } from '../../s3/configuration/schema.ts'
import { child, childText, el, group as wrap, parseXml, xmlDocument } from '../../s3/xml.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'

const OWNERSHIPS = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const

export type Ownership = (typeof OWNERSHIPS)[number]

/** What new buckets have, as they do on AWS since April 2023: no ACLs. */
const OF_NEW_BUCKETS: Ownership = 'BucketOwnerEnforced'
/** What S3 does without the configuration. */
const WITHOUT: Ownership = 'ObjectWriter'

/** The document of the ACL of a bucket; see `bucket-acl.ts`. */
export const ACL_DOCUMENT = 'acl'

const ROOT = 'OwnershipControls'
const SHAPE = group({ Rule: required(group({ ObjectOwnership: required(oneOf(...OWNERSHIPS)) })) })

export const renderOwnership = (ownership: Ownership): string =>
  xmlDocument(ROOT, wrap('Rule', el('ObjectOwnership', ownership)))

const ownershipIn = (document: Buffer): Ownership => {
  const rule = child(parseXml(document, document.length), 'Rule')
  const word = rule === undefined ? undefined : childText(rule, 'ObjectOwnership')
  return OWNERSHIPS.find((one) => one === word) ?? OF_NEW_BUCKETS
}

export const OWNERSHIP_CONTROLS: ConfigurationKind = {
  name: 'ownership-controls',
  accept: async (document, gateway, { name }) => {
    const admitted = admitRoot(parseXml(document, gateway.limits.xmlBytes), ROOT, SHAPE)
    const kept = renderOwnership(parseOwnership(childText(child(admitted, 'Rule') ?? admitted, 'ObjectOwnership')))
    const acl = await gateway.documents.read(name, ACL_DOCUMENT)
    const granted = acl !== undefined && grantsOthers(decodeGrants(acl.toString(), gateway.owner))
    if (granted && kept === renderOwnership('BucketOwnerEnforced')) {
      throw new S3Error('InvalidBucketAclWithObjectOwnership')
    }
    return kept
  },
  absent: { document: renderOwnership(OF_NEW_BUCKETS) },
  removed: 'OwnershipControlsNotFoundError',
}

/** A word that S3 knows. Throws `InvalidArgument`. */
export function parseOwnership(word: string | undefined): Ownership {
  const known = OWNERSHIPS.find((one) => one === word)
  if (known !== undefined) return known
  throw invalidArgument(`Invalid x-amz-object-ownership header: ${word ?? ''}`, 'x-amz-object-ownership', word ?? '')
}

/** Who owns the objects of a bucket, and with it whether there are ACLs. */
export async function ownershipOf({ documents }: Gateway, bucket: string): Promise<Ownership> {
  const document = await documents.read(bucket, OWNERSHIP_CONTROLS.name)
  if (document === undefined) return OF_NEW_BUCKETS
  return document.length === 0 ? WITHOUT : ownershipIn(document)
}

export const getBucketOwnershipControls = getConfiguration(OWNERSHIP_CONTROLS)
export const putBucketOwnershipControls = putConfiguration(OWNERSHIP_CONTROLS)
export const deleteBucketOwnershipControls = deleteConfiguration(OWNERSHIP_CONTROLS)
