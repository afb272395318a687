/** The proof: known texts go in through the endpoint, and nothing of them is found behind it. */
import type { Body } from '../../backends/object-store.ts'
import { type Components, random } from '../../compose.ts'
import type { Settings } from '../../config/settings.ts'
import { Integrity } from '../../errors.ts'
import { parseEnvelope } from '../../format/envelope.ts'
import { fromStoredMetadata } from '../../format/metadata.ts'
import { LocalKeyManager } from '../../keys/local.ts'
import { masterIdOf } from '../../keys/master-keys.ts'
import type { Finding } from './finding.ts'
import type { S3Client } from '../s3-client.ts'
import { searchFolder } from './search.ts'

export interface Examination {
  readonly settings: Settings
  readonly components: Components
  readonly client: S3Client
  readonly tell: (finding: Finding) => void
}

const SMALL_BYTES = 2_000
/** Over 5 MiB: a body with pad and recovery envelope, in a file of its own. */
const LARGE_BYTES = 6_000_000

interface Sample {
  readonly key: string
  readonly text: Buffer
  readonly secret: string
}

export async function prove(examination: Examination): Promise<void> {
  const { client } = examination
  const bucket = `sealgate-doctor-${random(6).toString('hex')}`
  const samples = [sample('small', SMALL_BYTES), sample('large', LARGE_BYTES)]
  await client.read({ method: 'PUT', address: { bucket, key: '' } })
  try {
    for (const one of samples) await write(examination, bucket, one)
    for (const one of samples) await searchStored(examination, bucket, one)
    searchFolders(examination, samples)
    for (const one of samples) await readBack(examination, bucket, one)
    for (const one of samples) await wrongKey(examination, bucket, one)
    for (const one of samples) await flippedByte(examination, bucket, one)
    await probeConditions(examination, bucket)
  } finally {
    for (const key of [...samples.map((one) => one.key), 'condition'])
      await client.read({ method: 'DELETE', address: { bucket, key } })
    await client.read({ method: 'DELETE', address: { bucket, key: '' } })
  }
}

/** A text that is not by chance anywhere else, over and over. */
function sample(key: string, bytes: number): Sample {
  const line = `The quick brown fox of ${random(16).toString('hex')} jumps over the lazy dog.\n`
  return { key, text: Buffer.alloc(bytes, line), secret: `metadata-${random(12).toString('hex')}` }
}

/** What a search looks for: a line of the text, and what the metadata says. */
const needles = ({ text, secret }: Sample): Buffer[] => [
  text.subarray(0, 64),
  Buffer.from(secret),
  Buffer.from(secret).subarray(9),
]

async function write({ client, tell }: Examination, bucket: string, { key, text, secret }: Sample): Promise<void> {
  const headers = { 'x-amz-meta-secret': secret, 'content-type': `text/plain; name=${secret}` }
  const address = { bucket, key }
  const answer = await client.read({ method: 'PUT', address, headers, body: text })
  tell({
    what: `wrote ${text.length} bytes of known text as ${bucket}/${key}`,
    state: 'ok',
    detail: `ETag ${answer.headers.etag ?? ''}`,
  })
}

async function searchStored({ components, tell }: Examination, bucket: string, one: Sample): Promise<void> {
  const { store } = components.gateway
  const { info, body } = await store.get(bucket, one.key)
  const stored = await collect(body)
  const metadata = Buffer.from(JSON.stringify(info.metadata))
  const facts = info.facts ?? Buffer.alloc(0)
  const leaked = needles(one).some((text) => [stored, metadata, facts].some((place) => place.includes(text)))
  tell({
    what: `the raw object ${one.key} at the backend does not hold the text, nor its metadata`,
    state: leaked ? 'failed' : 'ok',
    detail: `${stored.length} bytes for ${one.text.length}; they begin and go on like this:\n${hexDump(stored.subarray(0, 96))}`,
  })
}

function searchFolders({ settings, tell }: Examination, samples: readonly Sample[]): void {
  const texts = samples.flatMap(needles)
  for (const place of [settings.backend, settings.state]) {
    if (place.type !== 'local') continue
    const { files, bytes, found } = searchFolder(place.path, texts)
    tell({
      what: `no file below ${place.path} holds the text`,
      state: found.length > 0 ? 'failed' : 'ok',
      detail: found.length > 0 ? found.join('\n') : `${files} files, ${bytes} bytes searched`,
    })
  }
}

async function readBack({ client, tell }: Examination, bucket: string, { key, text, secret }: Sample): Promise<void> {
  const { headers, bytes } = await client.read({ method: 'GET', address: { bucket, key } })
  const same =
    bytes.equals(text) &&
    headers['x-amz-meta-secret'] === secret &&
    headers['content-type'] === `text/plain; name=${secret}`
  tell({ what: `${key} comes back as it was, with its metadata`, state: same ? 'ok' : 'failed', detail: '' })
}

/** The envelope's key does not open under a fresh master key, even one that claims to be the right one. */
async function wrongKey({ components, tell }: Examination, bucket: string, { key }: Sample): Promise<void> {
  const info = await components.gateway.store.head(bucket, key)
  const stored = info === undefined ? 'foreign' : fromStoredMetadata(info.metadata)
  if (stored === 'foreign') {
    tell({ what: `${key} has an envelope`, state: 'failed', detail: 'none found at the backend' })
    return
  }
  const envelope = parseEnvelope(stored.envelope)
  const wrong = { id: masterIdOf(random(32)), key: random(32), created: new Date(0).toISOString() }
  const claimed = envelope.wrapped.toString('hex', 1, 9)
  const masterKeys = { active: wrong, all: new Map([[claimed, wrong]]) }
  const manager = new LocalKeyManager({ alias: envelope.alias, masterKeys, random })
  const { namespace } = components.gateway.rules(bucket)
  const refused = await manager.unwrap(envelope.wrapped, { namespace, day: envelope.day }).then(
    () => false,
    (error: unknown) => error instanceof Integrity,
  )
  tell({ what: `a wrong master key does not open ${key}`, state: refused ? 'ok' : 'failed', detail: '' })
}

/** One bit of the stored body is flipped behind the gateway's back; a GET must not deliver the text. */
async function flippedByte(
  { components, client, tell }: Examination,
  bucket: string,
  { key, text }: Sample,
): Promise<void> {
  const { store } = components.gateway
  const { info, body } = await store.get(bucket, key)
  const damaged = await collect(body)
  const at = 64 + Math.floor(text.length / 2)
  damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at)
  await store.put(bucket, key, once(damaged), {
    length: damaged.length,
    metadata: info.metadata,
    commit: async () => (info.facts === undefined ? {} : { facts: info.facts }),
  })
  const outcome = await client.read({ method: 'GET', address: { bucket, key } }).then(
    () => 'the gateway delivered it',
    () => undefined,
  )
  tell({
    what: `one flipped bit in the stored body of ${key} is refused`,
    state: outcome === undefined ? 'ok' : 'failed',
    detail: outcome ?? `byte ${at} of ${damaged.length}`,
  })
}

async function probeConditions({ client, tell }: Examination, bucket: string): Promise<void> {
  const put = {
    method: 'PUT',
    address: { bucket, key: 'condition' },
    headers: { 'if-none-match': '*' },
    body: Buffer.alloc(0),
  }
  await client.read(put)
  const second = await client.read(put).then(
    () => 'a second write went through',
    () => undefined,
  )
  tell({ what: 'conditional writes are enforced', state: second === undefined ? 'ok' : 'failed', detail: second ?? '' })
}

async function collect(body: Body): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return Buffer.concat(pieces)
}

async function* once(bytes: Buffer): Body {
  yield [bytes]
}

function hexDump(bytes: Buffer): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 32) {
    const row = bytes.subarray(at, at + 32)
    const text = row.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.')
    lines.push(`${String(at).padStart(4)}  ${row.toString('hex').replaceAll(/(.{8})/g, '$1 ')} ${text}`)
  }
  return lines.join('\n')
}
