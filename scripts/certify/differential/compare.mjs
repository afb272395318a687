/** What differs between two answers, once ids, dates and hosts are out of the way. */
import { SaxesParser } from 'saxes'

/** Different in every answer, or of the connection and not of S3. */
const IGNORED = new Set([
  'date',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'x-amz-request-id',
  'x-amz-id-2',
  'server',
])
const DATES = new Set([
  'x-amz-object-lock-retain-until-date',
  'RetainUntilDate',
  'last-modified',
  'LastModified',
  'CreationDate',
  'Initiated',
])
const IDS = new Set([
  // What was signed names hosts and times; that it is there at all is what counts.
  'StringToSign',
  'StringToSignBytes',
  'CanonicalRequest',
  'CanonicalRequestBytes',
  'SignatureProvided',
  'AWSAccessKeyId',
  'ServerTime',
  'RequestTime',
  'Expires',
  'HeadersNotSigned',
  'UploadId',
  'RequestId',
  'HostId',
  'ID',
  'DisplayName',
  'NextContinuationToken',
  'ContinuationToken',
  'VersionId',
  'NextUploadIdMarker',
  'UploadIdMarker',
  'NextVersionIdMarker',
  'VersionIdMarker',
  'DeleteMarkerVersionId',
  'x-amz-version-id',
  'x-amz-copy-source-version-id',
])

/**
 * ETags of a remote store are ciphertext's, and marked so that nobody takes them for an MD5 (docs/s3-compatibility.md): there only the
 * number of parts can be compared. Those of the embedded store are S3's own and compared as they are.
 */
const etagOf = (text, opaque) => {
  const [, parts] = /^"?[0-9a-f]{32}((?:-\d+)*)"?$/.exec(text) ?? []
  if (!opaque || parts === undefined) return text
  return `${text.startsWith('"') ? 'quoted' : 'bare'} etag${parts.replaceAll(/-1(?=-|$)/g, '')}`
}

function value(name, text, opaque) {
  if (DATES.has(name)) return Number.isNaN(Date.parse(text)) ? text : 'a date'
  if (IDS.has(name)) return text === 'null' || text === '' ? text : 'an id'
  if (/^e-?tag$/i.test(name)) return etagOf(text, opaque)
  return text.replace(/^https?:\/\/[^/]+/, 'http://host')
}

/** Paths of all elements with their text; elements of the same name are counted in their order. */
function flatten(document) {
  const found = new Map()
  const open = []
  const parser = new SaxesParser({ defaultXMLVersion: '1.1', forceXMLVersion: true })
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name, attributes }) => {
    const parent = open.at(-1)
    const count = (parent?.counts.get(name) ?? 0) + 1
    parent?.counts.set(name, count)
    open.push({
      name,
      path: `${parent === undefined ? '' : `${parent.path}/`}${name}${count > 1 ? `[${count}]` : ''}`,
      text: '',
      counts: new Map(),
    })
    for (const [attribute, text] of Object.entries(attributes))
      found.set(`${open.at(-1).path}@${attribute}`, { name: attribute, text })
  })
  parser.on('text', (text) => (open.at(-1) === undefined ? undefined : (open.at(-1).text += text)))
  parser.on('closetag', () => {
    const { name, path, text, counts } = open.pop()
    if (counts.size === 0) found.set(path, { name, text })
  })
  parser.write(document).close()
  return found
}

const isXml = ({ headers, body }) =>
  body.length > 0 && (/xml/.test(headers['content-type'] ?? '') || body.toString('latin1', 0, 5) === '<?xml')

/** The whole of an answer as names and values. */
function facts(answer, opaque) {
  const { status, headers, body } = answer
  const all = new Map([['status', String(status)]])
  const xml = isXml(answer)
  for (const [name, text] of Object.entries(headers)) {
    if (IGNORED.has(name) || (xml && name === 'content-length')) continue
    all.set(`header ${name}`, value(name, String(text), opaque))
  }
  if (!xml) {
    all.set(
      'body',
      body.length > 200
        ? `${body.length} bytes beginning with ${JSON.stringify(body.toString('latin1', 0, 40))}`
        : JSON.stringify(body.toString('latin1')),
    )
    return all
  }
  try {
    for (const [path, { name, text }] of flatten(body.toString().replaceAll(/&#x(?:0|FFFE|FFFF);/g, '?')))
      all.set(`xml ${path}`, value(name, text, opaque))
  } catch (error) {
    all.set('xml', `unreadable: ${error.message}`)
  }
  const code = all.get('xml Error/Code')
  if (code !== undefined) all.set('status', `${status} ${code}`)
  all.delete('xml Error/Code')
  return all
}

/** Differences of one step: what, and what each side has there. Where the outcome itself differs the rest says nothing more. */
export function differences(reference, answer, opaque) {
  const [theirs, ours] = [facts(reference, opaque), facts(answer, opaque)]
  if (theirs.get('status') !== ours.get('status'))
    return [{ what: 'status', theirs: theirs.get('status'), ours: ours.get('status') }]
  const names = [...new Set([...theirs.keys(), ...ours.keys()])].sort()
  const all = names
    .filter((name) => theirs.get(name) !== ours.get(name))
    .map((name) => ({ what: name.replaceAll(/\[\d+\]/g, ''), theirs: theirs.get(name), ours: ours.get(name) }))
  return all.filter((one, i) => all.findIndex(({ what }) => what === one.what) === i)
}
