/** The proof: known texts go in through the endpoint, and nothing of them is found behind it. */
import { existsSync } from 'node:fs'
import { random } from '../../compose.ts'
import { CONDITION_KEY, examineConditions } from './conditions.ts'
import { examineEndpoint, examineOffline } from './damage.ts'
import { examineContents } from './contents.ts'
import { check } from './finding.ts'
import { examineStore } from './store.ts'
import { type Examination, makeSample, needlesOf, readStored, type Sample } from './sample.ts'
import { outermost, searchFolder } from './search.ts'

const SMALL_BYTES = 2_000
/** Over 5 MiB: a body with pad and recovery envelope, in a file of its own. */
const LARGE_BYTES = 6_000_000
const DUMP_BYTES = 96

/** Takes every step that can be taken; each is told. A stop of the process ends it between two steps. */
export async function prove(parts: Omit<Examination, 'bucket'>): Promise<void> {
  const bucket = `sealgate-doctor-${random(6).toString('hex')}`
  const examination = { ...parts, bucket }
  const { client, tell, signal } = examination
  const samples = [makeSample('small', SMALL_BYTES), makeSample('large', LARGE_BYTES)]
  const made = await check(tell, `made the temporary bucket ${bucket}`, async () => {
    await client.read({ method: 'PUT', address: { bucket, key: '' } })
    return ''
  })
  if (!made) return
  const steps = [
    ...samples.map((one) => () => write(examination, one)),
    ...samples.map((one) => () => searchStored(examination, one)),
    () => searchFolders(examination, samples),
    ...samples.map((one) => () => readBack(examination, one)),
    ...samples.map((one) => () => examineOffline(examination, one)),
    ...samples.map((one) => () => examineEndpoint(examination, one)),
    () => examineConditions(examination),
    () => examineStore(examination),
    () => examineContents(examination),
  ]
  try {
    for (const step of steps) {
      signal.throwIfAborted()
      await step()
    }
  } finally {
    await check(tell, 'removed what this examination wrote', async () => {
      for (const key of [...samples.map((one) => one.key), CONDITION_KEY, ''])
        await client.read({ method: 'DELETE', address: { bucket, key } })
      return ''
    })
  }
}

async function write({ client, bucket, tell }: Examination, { key, text, secret }: Sample): Promise<void> {
  await check(tell, `wrote ${text.length} bytes of known text as ${bucket}/${key}`, async () => {
    const headers = { 'x-amz-meta-secret': secret, 'content-type': `text/plain; name=${secret}` }
    const answer = await client.read({ method: 'PUT', address: { bucket, key }, headers, body: text })
    return `ETag ${answer.headers.etag ?? ''}`
  })
}

async function searchStored(examination: Examination, sample: Sample): Promise<void> {
  const what = `the raw object ${sample.key} at the backend does not hold the text, nor its metadata`
  await check(examination.tell, what, async () => {
    const { info, bytes } = await readStored(examination, sample.key)
    const places = [bytes, Buffer.from(JSON.stringify(info.metadata)), info.facts ?? Buffer.alloc(0)]
    const dump = hexDump(bytes.subarray(0, DUMP_BYTES))
    if (needlesOf(sample).some((text) => places.some((place) => place.includes(text))))
      throw new Error(`it does; it begins like this:\n${dump}`)
    return `${bytes.length} bytes for ${sample.text.length}; they begin and go on like this:\n${dump}`
  })
}

/** Every file of ours is searched. That the search sees is shown by ciphertext of the large object, which it must find. */
async function searchFolders(examination: Examination, samples: readonly Sample[]): Promise<void> {
  const { settings, tell } = examination
  const { data, backend, state } = settings
  const places = [backend, state].flatMap((one) => (one.type === 'local' ? [one.path] : []))
  const roots = outermost([data, ...places].filter((folder) => existsSync(folder)))
  if (roots.length === 0) return
  await check(tell, `no file below ${roots.join(' and ')} holds the texts`, async () => {
    const texts = samples.flatMap(needlesOf)
    const { bytes: sealed } = await readStored(examination, samples.at(-1)?.key ?? '')
    const control = sealed.subarray(DUMP_BYTES, DUMP_BYTES + 64)
    const results = roots.map((root) => searchFolder(root, [...texts, control]))
    const leaks = texts.flatMap((text) => results.flatMap(({ found }) => found.get(text) ?? []))
    if (leaks.length > 0) throw new Error([...new Set(leaks)].join('\n'))
    if (backend.type === 'local' && results.every(({ found }) => found.get(control)?.length === 0))
      throw new Error('the search did not find the ciphertext either: it proves nothing')
    const seen = backend.type === 'local' ? `; the ciphertext of ${samples.at(-1)?.key ?? ''} was found` : ''
    const total = (of: 'files' | 'bytes'): number => results.reduce((sum, one) => sum + one[of], 0)
    return `${total('files')} files, ${total('bytes')} bytes searched${seen}`
  })
}

async function readBack({ client, bucket, tell }: Examination, { key, text, secret }: Sample): Promise<void> {
  await check(tell, `${key} comes back as it was, with its metadata`, async () => {
    const { headers, bytes } = await client.read({ method: 'GET', address: { bucket, key } })
    if (!bytes.equals(text)) throw new Error(`${bytes.length} bytes of another text`)
    if (headers['x-amz-meta-secret'] !== secret || headers['content-type'] !== `text/plain; name=${secret}`)
      throw new Error('its metadata is not what was written')
    return ''
  })
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
