/** Wrong keys and changed bytes: offline on an exported object, and through the endpoint. Each refusal has its counterpart that must succeed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { random } from '../../compose.ts'
import { Integrity } from '../../errors.ts'
import { CHUNK_BYTES, HEADER_BYTES, TAG_BYTES } from '../../format/sizes.ts'
import { LocalKeyManager } from '../../keys/local.ts'
import { masterIdOf } from '../../keys/master-keys.ts'
import { takeSecret } from '../../secret-bytes.ts'
import { exportRaw } from '../inspect.ts'
import { type OpenBucketKey, openRawObject } from '../raw-object.ts'
import { check } from './finding.ts'
import { type Examination, flipped, readStored, type Sample, writeStored } from './sample.ts'

/** Where the middle of the plaintext lies in a body of one segment. */
function middleOf(text: Buffer): { readonly at: number; readonly chunkStart: number } {
  const middle = Math.floor(text.length / 2)
  const chunk = Math.floor(middle / CHUNK_BYTES)
  return { at: HEADER_BYTES + middle + chunk * TAG_BYTES, chunkStart: chunk * CHUNK_BYTES }
}

/** An exported object opens with the right key, and not with another one, nor with one bit flipped. */
export async function examineOffline(examination: Examination, { key, text }: Sample): Promise<void> {
  const { components, bucket, tell, signal } = examination
  const { gateway } = components
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-doctor-'))
  const right: OpenBucketKey = async (envelope, namespace) => (await gateway.keys.open(envelope, namespace)).key
  const open = async (openKey: OpenBucketKey): Promise<Buffer> => {
    const pieces: Buffer[] = []
    for await (const piece of (await openRawObject(folder, openKey, false)).plaintext()) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  try {
    await check(tell, `${key}, exported, opens offline under its key`, async () => {
      const { info } = await readStored(examination, key)
      await exportRaw(gateway, { place: { bucket, key }, info }, folder, signal)
      if (!(await open(right)).equals(text)) throw new Error('another text came out')
      return ''
    })
    await check(tell, `a wrong master key does not open ${key}`, () => refused(open(underWrongMasterKey)))
    await check(tell, `one flipped bit in the exported body of ${key} is refused`, async () => {
      const body = join(folder, 'body')
      writeFileSync(body, flipped(readFileSync(body), middleOf(text).at))
      return refused(open(right))
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A fresh master key that claims to be the one that the envelope names. */
const underWrongMasterKey: OpenBucketKey = (envelope, namespace) => {
  const wrong = { id: masterIdOf(random(32)), key: takeSecret(random(32)), created: new Date(0).toISOString() }
  const masterKeys = { active: wrong, all: new Map([[envelope.wrapped.toString('hex', 1, 9), wrong]]) }
  const manager = new LocalKeyManager({ alias: envelope.alias, masterKeys, random })
  return manager.unwrap(envelope.wrapped, { namespace, day: envelope.day })
}

async function refused(opening: Promise<Buffer>): Promise<string> {
  const outcome = await opening.then(
    () => 'it opened',
    (error: unknown) => error,
  )
  if (outcome instanceof Integrity) return outcome.message
  throw outcome instanceof Error ? outcome : new Error(String(outcome))
}

/** One bit of the stored body is flipped behind the gateway's back: a GET must fail before that chunk, and succeed once the bit is back. */
export async function examineEndpoint(examination: Examination, { key, text }: Sample): Promise<void> {
  const { at, chunkStart } = middleOf(text)
  await check(examination.tell, `one flipped bit in the stored body of ${key} is refused by the gateway`, async () => {
    const stored = await readStored(examination, key)
    await writeStored(examination, key, { ...stored, bytes: flipped(stored.bytes, at) })
    const { delivered, failure } = await deliveredOf(examination, key)
    if (failure === undefined) throw new Error(`all of it was delivered: ${delivered.length} bytes`)
    if (delivered.length > chunkStart || !delivered.equals(text.subarray(0, delivered.length))) {
      throw new Error(`${delivered.length} bytes were delivered, beyond the ${chunkStart} before the changed chunk`)
    }
    await writeStored(examination, key, stored)
    const again = await deliveredOf(examination, key)
    if (!again.delivered.equals(text)) throw new Error(`and it stays so with the bit back: ${again.failure ?? ''}`)
    return `byte ${at} of ${stored.bytes.length}; ${delivered.length} bytes delivered (the chunk begins at ${chunkStart}); with the bit back it is whole again`
  })
}

/** What a GET delivers, to its end or until it fails. */
async function deliveredOf(
  { client, bucket }: Examination,
  key: string,
): Promise<{ readonly delivered: Buffer; readonly failure: string | undefined }> {
  const pieces: Buffer[] = []
  try {
    const { body } = await client.send({ method: 'GET', address: { bucket, key } })
    for await (const piece of body) pieces.push(Buffer.from(piece))
    return { delivered: Buffer.concat(pieces), failure: undefined }
  } catch (error) {
    return { delivered: Buffer.concat(pieces), failure: error instanceof Error ? error.message : String(error) }
  }
}
