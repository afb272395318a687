/** Any store that speaks S3: a lean client with our own signer, streams both ways, and a profile of what the store can do. */
import { Denied, Unavailable } from '../errors.ts'
import { unquoteEtag } from '../s3/etag.ts'
import { childText } from '../s3/xml.ts'
import { type Body, HeldBody } from './body.ts'
import type { Capabilities } from './capabilities.ts'
import { type ObjectStore, StoreError } from './object-store.ts'
import type * as port from './object-store.ts'
import { readBounded, type StoreCall, type StoreRequests, unbroken } from './s3/client.ts'
import {
  listQuery,
  partsQuery,
  MAX_DOCUMENT_BYTES,
  readBuckets,
  readDeleted,
  readDocument,
  readListing,
  readParts,
  readUploads,
  readVersions,
  uploadsQuery,
  versionsQuery,
  writeComplete,
  writeCreateBucket,
  writeDelete,
} from './s3/documents.ts'
import { failureIn, requireKept } from './s3/errors.ts'
import {
  attributesOf,
  conditionHeaders,
  contentLength,
  copySourceHeaders,
  dateOf,
  etagOf,
  infoOf,
  newObjectHeaders,
  rangeHeader,
  sentRange,
  versionOf,
} from './s3/headers.ts'
import { copyInParts } from './s3/part-copy.ts'
import { capabilitiesOf, type Profile } from './s3/profiles.ts'
import type { TransportResponse } from './s3/transport.ts'
import { beforeLast, documentBody, objectBody, withLength } from './s3/upload-body.ts'

export interface S3StoreParts {
  readonly client: StoreRequests
  readonly profile: Profile
  readonly region: string
  /** Bytes beyond which a copy is made in parts; 5 GiB on every store. Tests take less. */
  readonly copyRequestLimit?: number
}

const COPY_REQUEST_BYTES = 5 * 1024 ** 3

export class S3Store implements ObjectStore {
  readonly name = 's3'
  readonly capabilities: Capabilities
  readonly #client: StoreRequests
  readonly #profile: Profile
  readonly #region: string
  readonly #copyRequestLimit: number

  constructor({ client, profile, region, copyRequestLimit = COPY_REQUEST_BYTES }: S3StoreParts) {
    this.capabilities = capabilitiesOf(profile)
    this.#client = client
    this.#profile = profile
    this.#region = region
    this.#copyRequestLimit = copyRequestLimit
  }

  /** The same store over the same connections, known better. */
  withProfile(profile: Profile): S3Store {
    return this.#over(this.#client, profile)
  }

  carrying(headers: Readonly<Record<string, string>>): S3Store {
    return this.#over(this.#client.carrying(headers), this.#profile)
  }

  #over(client: StoreRequests, profile: Profile): S3Store {
    return new S3Store({ client, profile, region: this.#region, copyRequestLimit: this.#copyRequestLimit })
  }

  async listBuckets(): Promise<readonly port.BucketInfo[]> {
    return readBuckets(await this.#document({ what: 'ListBuckets', method: 'GET' }))
  }

  async createBucket(
    bucket: string,
    { attributes = {} }: { readonly attributes?: port.Attributes } = {},
  ): Promise<void> {
    const document = writeCreateBucket(this.#region)
    const call = { what: 'CreateBucket', method: 'PUT', bucket, headers: attributes, unowned: true } as const
    await this.#done({ ...call, body: () => documentBody(document, false), replayable: true })
  }

  async headBucket(bucket: string): Promise<port.BucketInfo | undefined> {
    try {
      await this.#done({ what: 'HeadBucket', method: 'HEAD', bucket })
      return { name: bucket, created: new Date(0) }
    } catch (error) {
      if (error instanceof StoreError && error.refusal.startsWith('no-such')) return undefined
      throw error
    }
  }

  async deleteBucket(bucket: string): Promise<void> {
    await this.#done({ what: 'DeleteBucket', method: 'DELETE', bucket })
  }

  async put(bucket: string, key: string, body: Body, options: port.PutOptions): Promise<port.WriteResult> {
    const { metadata, attributes, condition, commit, signal } = options
    requireKept(this.#profile, key)
    const known = await withLength(body, options.length, signal)
    if (known.body instanceof HeldBody) await commit()
    const sent = known.body instanceof HeldBody ? known.body : beforeLast(known.body, commit)
    const response = await this.#done({
      what: 'PutObject',
      method: 'PUT',
      bucket,
      key,
      headers: { ...newObjectHeaders(metadata, attributes), ...conditionHeaders(condition) },
      body: () => objectBody(sent, known.length, this.#profile.checksum),
      replayable: known.body instanceof HeldBody,
      signal,
    })
    return this.#written(response, etagOf(response.headers))
  }

  async get(bucket: string, key: string, options: port.GetOptions = {}): Promise<port.GetResult> {
    const { range, ifMatch, versionId, signal } = options
    const response = await this.#client.send({
      what: 'GetObject',
      method: 'GET',
      bucket,
      key,
      query: this.#version(versionId),
      headers: { ...rangeHeader(range), ...conditionHeaders(ifMatch === undefined ? undefined : { ifMatch }) },
      signal,
    })
    try {
      const { first, last, size } = sentRange(response.status, response.headers, range)
      const info = infoOf(response.headers, size, this.#profile)
      return { info, range: { first, last }, body: unbroken(response.body, last - first + 1) }
    } catch (error) {
      response.cancel()
      throw error
    }
  }

  async head(
    bucket: string,
    key: string,
    { versionId }: { readonly versionId?: string } = {},
  ): Promise<port.ObjectInfo | undefined> {
    try {
      const query = this.#version(versionId)
      const { headers } = await this.#done({ what: 'HeadObject', method: 'HEAD', bucket, key, query })
      return infoOf(headers, contentLength(headers), this.#profile)
    } catch (error) {
      if (error instanceof StoreError && error.refusal === 'no-such-key' && error.answer === undefined) return undefined
      throw error
    }
  }

  async delete(bucket: string, key: string, options: port.DeleteOptions = {}): Promise<port.DeleteResult> {
    const { ifMatch, versionId, attributes = {} } = options
    try {
      const { headers } = await this.#done({
        what: 'DeleteObject',
        method: 'DELETE',
        bucket,
        key,
        query: this.#version(versionId),
        headers: { ...attributes, ...conditionHeaders(ifMatch === undefined ? undefined : { ifMatch }) },
      })
      return { attributes: attributesOf(headers, this.#profile) }
    } catch (error) {
      const gone = error instanceof StoreError && error.refusal === 'no-such-key' && ifMatch === undefined
      if (gone) return {}
      throw error
    }
  }

  async deleteMany(
    bucket: string,
    entries: readonly port.DeleteEntry[],
    { attributes = {} }: { readonly attributes?: port.Attributes } = {},
  ): Promise<readonly port.DeleteOutcome[]> {
    const document = writeDelete(entries)
    const root = await this.#document({
      what: 'DeleteObjects',
      method: 'POST',
      bucket,
      query: [['delete', '']],
      headers: attributes,
      body: () => documentBody(document, true),
      replayable: true,
    })
    return readDeleted(root, entries)
  }

  async copy(
    source: port.CopySource,
    target: { bucket: string; key: string },
    options: port.CopyOptions,
  ): Promise<port.WriteResult> {
    requireKept(this.#profile, target.key)
    if (options.size > this.#copyRequestLimit) {
      const decided = options.condition === undefined || this.#profile.conditionalComplete
      if (!decided) throw new StoreError('not-supported', 'The store decides no condition on a copy in parts.')
      const partBytes = Math.min(this.#copyRequestLimit, 1024 ** 3)
      return copyInParts(this, this.#client, { source, target, options, partBytes, tags: this.#profile.tags })
    }
    const { metadata, attributes, condition } = options
    return this.#client.sendAndRead(
      {
        what: 'CopyObject',
        method: 'PUT',
        ...target,
        headers: {
          ...newObjectHeaders(metadata, attributes),
          ...copySourceHeaders(source, options),
          ...conditionHeaders(condition),
          'x-amz-metadata-directive': 'REPLACE',
        },
      },
      (response) => this.#resulting(response),
    )
  }

  async list(bucket: string, options: port.ListOptions): Promise<port.ListPage> {
    const { after, afterPrefix } = options
    const query = listQuery(options)
    const page = readListing(await this.#document({ what: 'ListObjectsV2', method: 'GET', bucket, query }))
    if (afterPrefix !== true) return page
    return { ...page, commonPrefixes: page.commonPrefixes.filter((one) => one !== after) }
  }

  async listVersions(bucket: string, options: port.ListVersionsOptions): Promise<port.ListVersionsPage> {
    const query = versionsQuery(options)
    return readVersions(await this.#document({ what: 'ListObjectVersions', method: 'GET', bucket, query }))
  }

  async createUpload(bucket: string, key: string, { metadata, attributes }: port.CreateUploadOptions): Promise<string> {
    requireKept(this.#profile, key)
    const headers = newObjectHeaders(metadata, attributes)
    const query = [['uploads', '']] as const
    const root = await this.#document({ what: 'CreateMultipartUpload', method: 'POST', bucket, key, query, headers })
    const uploadId = childText(root, 'UploadId')
    if (uploadId === undefined || uploadId === '') throw new Unavailable('the store began an upload without an id')
    return uploadId
  }

  async putPart(
    { bucket, key, uploadId }: port.UploadRef,
    partNumber: number,
    body: Body,
    options: { readonly length?: number; readonly signal?: AbortSignal },
  ): Promise<{ etag: string }> {
    const known = await withLength(body, options.length, options.signal)
    const { headers } = await this.#done({
      what: 'UploadPart',
      method: 'PUT',
      bucket,
      key,
      query: [
        ['partNumber', String(partNumber)],
        ['uploadId', uploadId],
      ],
      body: () => objectBody(known.body, known.length, this.#profile.partChecksum),
      replayable: known.body.replayable === true,
      signal: options.signal,
    })
    const etag = etagOf(headers)
    if (etag === '') throw new Unavailable('the store did not name the ETag of a part')
    return { etag }
  }

  async listParts(
    { bucket, key, uploadId }: port.UploadRef,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<{ parts: readonly port.PartInfo[]; truncated: boolean }> {
    const query = partsQuery(uploadId, after, limit)
    return readParts(await this.#document({ what: 'ListParts', method: 'GET', bucket, key, query }))
  }

  async completeUpload(
    { bucket, key, uploadId }: port.UploadRef,
    options: port.CompleteOptions,
  ): Promise<port.WriteResult> {
    const document = writeComplete(options.parts)
    return this.#client.sendAndRead(
      {
        what: 'CompleteMultipartUpload',
        method: 'POST',
        bucket,
        key,
        query: [['uploadId', uploadId]],
        headers: conditionHeaders(options.condition),
        body: () => documentBody(document, false),
        replayable: true,
      },
      (response) => this.#resulting(response),
    )
  }

  async abortUpload({ bucket, key, uploadId }: port.UploadRef): Promise<void> {
    const query = [['uploadId', uploadId]] as const
    await this.#done({ what: 'AbortMultipartUpload', method: 'DELETE', bucket, key, query })
  }

  async listUploads(
    bucket: string,
    options: port.ListUploadsOptions,
  ): Promise<{ uploads: readonly port.UploadInfo[]; truncated: boolean }> {
    const query = uploadsQuery(options)
    return readUploads(await this.#document({ what: 'ListMultipartUploads', method: 'GET', bucket, query }))
  }

  async forward(request: port.ForwardRequest): Promise<port.ForwardResponse> {
    const { method, bucket, key, rawQuery, headers, body, signal } = request
    const outgoing = () => {
      const { payloadHash, headers: added, body: bytes } = documentBody(body, body.length > 0)
      const type = headers['content-type']
      return {
        payloadHash,
        headers: { ...added, ...(type === undefined ? {} : { 'content-type': type }) },
        body: bytes,
      }
    }
    return this.#client.forward({
      what: `${method} ?${rawQuery}`,
      method,
      ...(bucket === '' ? {} : { bucket }),
      ...(key === '' ? {} : { key }),
      rawQuery,
      headers,
      ...(body.length > 0 || method === 'PUT' || method === 'POST' ? { body: outgoing, replayable: true } : {}),
      signal,
    })
  }

  async health(): Promise<void> {
    try {
      await this.listBuckets()
    } catch (error) {
      // It answers, and knows our credentials; that we may not list its buckets is nobody's concern.
      if (!(error instanceof Denied)) throw error
    }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  #version(versionId: string | undefined): (readonly [string, string])[] {
    return versionId === undefined || !this.#profile.versions ? [] : [['versionId', versionId]]
  }

  /** An answer whose body says nothing. */
  #done(call: StoreCall): Promise<TransportResponse> {
    return this.#client.sendAndRead(call, async (response) => {
      await readBounded(response)
      return { value: response }
    })
  }

  /** A document, read within the attempt: one that breaks off is asked for again. */
  #document(call: StoreCall) {
    return this.#client.sendAndRead(call, async (response) => {
      const root = readDocument(await readBounded(response, MAX_DOCUMENT_BYTES))
      const failure = failureIn(root, response.headers)
      return failure === undefined ? { value: root } : { failure }
    })
  }

  /** The result of a copy or a Complete: a 200 that may hold an error, sent while the store still worked. */
  async #resulting(response: TransportResponse) {
    const root = readDocument(await readBounded(response))
    const failure = failureIn(root, response.headers)
    if (failure !== undefined) return { failure }
    const etag = unquoteEtag(childText(root, 'ETag') ?? '')
    const modified = childText(root, 'LastModified')
    return { value: this.#written(response, etag, modified) }
  }

  #written({ headers }: TransportResponse, etag: string, modified = headers['date']): port.WriteResult {
    if (etag === '') throw new Unavailable('the store did not name the ETag of what it wrote')
    return {
      etag,
      lastModified: dateOf(modified),
      ...versionOf(headers, this.#profile),
      attributes: attributesOf(headers, this.#profile),
    }
  }
}
