import { parseListBuckets } from '../s3/listing-parameters.ts'
import { renderListBuckets } from '../s3/listing-other-xml.ts'
import { compareUtf8 } from '../s3/utf8-order.ts'
import type { Operation } from './gateway.ts'

/** ListBuckets: those that the caller's credential may see. */
export const listBuckets: Operation = async (gateway, request) => {
  const { maxBuckets, prefix, after, bucketRegion } = parseListBuckets(request.query)
  const matching = (await gateway.store.listBuckets()).filter(
    ({ name }) =>
      request.visible(name) &&
      (prefix === undefined || name.startsWith(prefix)) &&
      (after === undefined || compareUtf8(name, after) > 0) &&
      (bucketRegion === undefined || bucketRegion === gateway.region),
  )
  const buckets = maxBuckets === undefined ? matching : matching.slice(0, maxBuckets)
  const next = buckets.length < matching.length ? buckets.at(-1)?.name : undefined
  return {
    status: 200,
    body: renderListBuckets({
      owner: gateway.owner,
      buckets,
      ...(prefix === undefined ? {} : { prefix }),
      ...(next === undefined ? {} : { next }),
      region: gateway.region,
    }),
  }
}
