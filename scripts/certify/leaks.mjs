/** Searches every byte below the data folder for samples of the plaintext that went through the gateway. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { bigFile } from './aws-cli.mjs'
import { assert } from './shell.mjs'

const SAMPLE_BYTES = 64
const SAMPLES = 64
const BLOCK_BYTES = 16 * 2 ** 20

export async function leaks({ cache, tree, gateway, check }) {
  await check('no 64-byte sample of the plaintext is in the data folder', () => {
    const samples = collect([tree.path, bigFile(cache)])
    assert(samples.size >= SAMPLES / 2, `only ${samples.size} samples`)
    assert(search(tree.path, samples) > 0, 'the search does not even find the samples in their source')
    const found = search(gateway.data, samples)
    assert(found === 0, `${found} samples found`)
    return `${samples.size} samples`
  })
}

function* files(path) {
  if (!statSync(path).isDirectory()) {
    yield path
    return
  }
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) yield* files(child)
    else if (entry.isFile()) yield child
  }
}

/** Samples by their first eight bytes, from the middle of files; those with little in them are left out. */
function collect(roots) {
  const all = roots.flatMap((root) => [...files(root)]).filter((path) => statSync(path).size > 4 * SAMPLE_BYTES)
  const step = Math.max(1, Math.floor(all.length / SAMPLES))
  const samples = new Map()
  for (let i = 0; i < all.length; i += step) {
    const { size } = statSync(all[i])
    const sample = readAt(all[i], Math.floor(size / 2), SAMPLE_BYTES)
    if (new Set(sample).size > 12) samples.set(sample.subarray(0, 8).toString('latin1'), sample)
  }
  return samples
}

function readAt(path, position, length) {
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(length)
  const read = readSync(file, buffer, 0, length, position)
  closeSync(file)
  return buffer.subarray(0, read)
}

/** How many samples occur below `root`. Blocks overlap, so that none is missed at a border. */
function search(root, samples) {
  let found = 0
  for (const path of files(root)) {
    const { size } = statSync(path)
    for (let at = 0; at < size; at += BLOCK_BYTES - SAMPLE_BYTES) {
      const block = readAt(path, at, BLOCK_BYTES)
      for (const sample of samples.values()) if (block.includes(sample)) found += 1
    }
  }
  return found
}
