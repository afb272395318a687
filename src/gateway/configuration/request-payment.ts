import { admitRoot, group, oneOf, renderAdmitted, required } from '../../s3/configuration/schema.ts'
import { el, parseXml, xmlDocument } from '../../s3/xml.ts'
import { type ConfigurationKind, getConfiguration, putConfiguration } from './configuration.ts'

const ROOT = 'RequestPaymentConfiguration'
const SHAPE = group({ Payer: required(oneOf('BucketOwner', 'Requester')) })

/** Nobody is billed here; the setting is kept and told. */
const REQUEST_PAYMENT: ConfigurationKind = {
  name: 'request-payment',
  accept: (document, { limits }) => renderAdmitted(admitRoot(parseXml(document, limits.xmlBytes), ROOT, SHAPE)),
  absent: { document: xmlDocument(ROOT, el('Payer', 'BucketOwner')) },
}

export const getBucketRequestPayment = getConfiguration(REQUEST_PAYMENT)
export const putBucketRequestPayment = putConfiguration(REQUEST_PAYMENT)
