/**
 * The proof of ciphertext: samples of what a client's objects are at the gateway are searched in every byte that the store keeps of them.
 * Over a remote store those are the objects of the buckets, read at the store itself; over the embedded one, the files of the data folder.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { bucketNames, connect, objects, pieces } from './bare.mjs'
import { assert } from './shell.mjs'

const SAMPLE_BYTES = 64
const MOST_SAMPLES = 64
const BLOCK_BYTES = 16 * 2 ** 20
const MAGIC = 'SGT1'

export async function searchPlaintext({ gateway, store, buckets }) {
  const front = connect(gateway)
  try {
    const seen = await collect(front, buckets)
    assert(seen.samples.length > 0, `no samples: the client left ${seen.names.size} objects, none of use`)
    assert(await controlFinds(front, seen), 'the search does not even find a sample in its plaintext')
    const { searched, found } = store.embedded
      ? searchFolder(gateway.data, seen)
      : await searchStore(store, buckets, seen)
    assert(searched > 0, 'there was nothing to search')
    assert(found.size === 0, `found in the clear: ${[...found].slice(0, 5).join(', ')}`)
    return `${seen.samples.length} samples of ${seen.names.size} objects, ${(searched / 2 ** 20).toFixed(1)} MiB searched`
  } finally {
    front.destroy()
  }
}

/** Names of all objects as the gateway lists them, and samples of some of them; samples with little in them are left out. */
async function collect(front, buckets) {
  const names = new Map()
  for (const bucket of buckets)
    for await (const one of objects(front, bucket)) names.set(`${bucket}/${one.Key}`, { bucket, ...one })
  const candidates = [...names.values()].filter((one) => one.Size > 2 * SAMPLE_BYTES)
  const step = Math.max(1, Math.ceil(candidates.length / MOST_SAMPLES))
  // A file may be all zeros in its middle: few objects are sampled at several places.
  const places = candidates.length > 24 ? [0.5] : [0.1, 0.2, 0.35, 0.5, 0.6, 0.75, 0.9]
  const samples = []
  for (let i = 0; i < candidates.length; i += step) {
    const { bucket, Key, Size } = candidates[i]
    for (const place of places) {
      const first = Math.floor((Size - SAMPLE_BYTES) * place)
      const bytes = await gather(pieces(front, bucket, Key, [first, first + SAMPLE_BYTES - 1]))
      if (new Set(bytes).size > 12) samples.push({ bucket, Key, Size, bytes })
    }
  }
  return { names, samples }
}

async function gather(source) {
  const all = []
  for await (const piece of source) all.push(piece)
  return Buffer.concat(all)
}

/** The same search over the smallest sampled object's plaintext, as it comes from the gateway: here it must find something. */
async function controlFinds(front, { samples }) {
  const { bucket, Key } = samples.reduce((least, one) => (one.Size < least.Size ? one : least))
  const found = new Set()
  await searchPieces(pieces(front, bucket, Key), samples, found, () => 'control')
  return found.size > 0
}

async function searchStore(store, buckets, { names, samples }) {
  const behind = connect(store)
  const found = new Set()
  let searched = 0
  try {
    const there = new Set(await bucketNames(behind))
    const kept = new Set()
    for (const bucket of buckets) {
      assert(there.has(bucket), `the store has no bucket ${bucket}`)
      for await (const { Key } of objects(behind, bucket)) {
        kept.add(`${bucket}/${Key}`)
        const { bytes, head } = await searchPieces(
          pieces(behind, bucket, Key),
          samples,
          found,
          () => `${bucket}/${Key}`,
        )
        searched += bytes
        if (names.has(`${bucket}/${Key}`))
          assert(head === MAGIC, `${bucket}/${Key} does not begin like a sealed object at the store`)
      }
    }
    for (const name of names.keys()) assert(kept.has(name), `${name} is not at the store: the search did not see it`)
  } finally {
    behind.destroy()
  }
  return { searched, found }
}

/** Searches a stream; blocks overlap, so that nothing is missed at a border. */
async function searchPieces(source, samples, found, name) {
  let bytes = 0
  let head = Buffer.alloc(0)
  let block = []
  let held = 0
  const search = () => {
    const joined = Buffer.concat(block)
    for (const sample of samples) if (joined.includes(sample.bytes)) found.add(name())
    const rest = joined.subarray(Math.max(0, joined.length - SAMPLE_BYTES + 1))
    block = [rest]
    held = rest.length
  }
  for await (const piece of source) {
    if (head.length < MAGIC.length) head = Buffer.concat([head, piece]).subarray(0, MAGIC.length)
    bytes += piece.length
    block.push(piece)
    held += piece.length
    if (held > BLOCK_BYTES) search()
  }
  search()
  return { bytes, head: head.toString('latin1') }
}

function* files(path) {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) yield* files(child)
    else if (entry.isFile()) yield child
  }
}

function searchFolder(root, { samples }) {
  const found = new Set()
  let searched = 0
  for (const path of files(root)) {
    const { size } = statSync(path)
    searched += size
    for (let at = 0; at < size; at += BLOCK_BYTES - SAMPLE_BYTES) {
      const block = readAt(path, at, BLOCK_BYTES)
      for (const sample of samples) if (block.includes(sample.bytes)) found.add(path)
    }
  }
  return { searched, found }
}

function readAt(path, position, length) {
  const file = openSync(path, 'r')
  const buffer = Buffer.allocUnsafe(length)
  const read = readSync(file, buffer, 0, length, position)
  closeSync(file)
  return buffer.subarray(0, read)
}
