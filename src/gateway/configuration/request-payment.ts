import { S3Error } from '../../s3/errors.ts'
import { childText, el, parseXml, xmlDocument } from '../../s3/xml.ts'
import { type ConfigurationKind, getConfiguration, putConfiguration } from './configuration.ts'

const render = (payer: string): string => xmlDocument('RequestPaymentConfiguration', el('Payer', payer))

/** Nobody is billed here; the setting is kept and told. */
const REQUEST_PAYMENT: ConfigurationKind = {
  name: 'request-payment',
  accept: (document, { limits }) => {
    const root = parseXml(document, limits.xmlBytes)
    const payer = childText(root, 'Payer')
    if (root.name !== 'RequestPaymentConfiguration' || (payer !== 'BucketOwner' && payer !== 'Requester')) {
      throw new S3Error('MalformedXML')
    }
    return render(payer)
  },
  absent: { document: render('BucketOwner') },
}

export const getBucketRequestPayment = getConfiguration(REQUEST_PAYMENT)
export const putBucketRequestPayment = putConfiguration(REQUEST_PAYMENT)
