/** What every tool that copies files is asked to do, given how it says each thing. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assert, sh } from '../shell.mjs'
import { probeFile } from '../tree.mjs'

/**
 * `ops`: `make(bucket)`, `put(file, key)`, `get(key, file)`, `list()`, `copy(from, to)`, `remove(key)`; where the tool can: `sync(folder, prefix)`
 * and `syncBack(prefix, folder)` which return what they say they copied, `share(key)`, `head(key)` with `putNote(file, key, note)` (`noteTold`: what it shows of the note, if that differs), `range(key, first, last)`.
 */
export async function transferChecks(cx, ops) {
  const { gateway, check } = cx
  const probe = probeFile(cx)
  const bytes = readFileSync(probe)
  const temp = join(gateway.folder, 'transfer')
  mkdirSync(temp)
  const same = (key) => {
    const file = join(temp, 'back')
    ops.get(key, file)
    sh('cmp', [probe, file])
    rmSync(file)
  }
  await check('make a bucket', () => void ops.make())
  await check('put and get of a small file', () => {
    ops.put('package.json', 'dir/ü n.json')
    const file = join(temp, 'small')
    ops.get('dir/ü n.json', file)
    sh('cmp', ['package.json', file])
  })
  await check('multipart upload, and the same bytes back', () => {
    ops.put(probe, 'probe')
    same('probe')
  })
  await check('a listing shows the plaintext size', () => assert(ops.list().includes(String(bytes.length)), ops.list()))
  if (ops.range)
    await check('a ranged read equals the source', () =>
      assert(ops.range('probe', 8_000_000, 8_000_999).equals(bytes.subarray(8_000_000, 8_001_000)), 'the bytes differ'),
    )
  await check('server-side copy', () => {
    ops.copy('probe', 'copied')
    same('copied')
  })
  await check('delete', () => {
    ops.remove('copied')
    assert(!ops.list().includes('copied'), 'it is still there')
  })
  if (ops.putNote) {
    await check(`metadata${ops.note === 'plain' ? '' : ' with non-ASCII characters'}`, () => {
      ops.putNote('package.json', 'noted', ops.note)
      assert(ops.head('noted').includes(ops.noteTold ?? ops.note), ops.head('noted'))
    })
  }
  if (ops.share) {
    await check('a presigned URL', async () => {
      const answer = await fetch(ops.share('probe'))
      assert(answer.status === 200 && bytes.equals(Buffer.from(await answer.arrayBuffer())), `status ${answer.status}`)
    })
  }
  if (ops.sync) await syncChecks(cx, ops, join(temp, 'tree'))
  rmSync(temp, { recursive: true, force: true })
}

async function syncChecks({ tree, check }, ops, back) {
  await check('sync of a tree up', () => void ops.sync(tree.path, 'tree'))
  await check('a second sync up has nothing to do', () => {
    const said = ops.sync(tree.path, 'tree')
    assert(said.trim() === '', `the second sync did something:\n${said.slice(-1000)}`)
  })
  await check('sync down, the trees are equal', () => {
    mkdirSync(back)
    ops.syncBack('tree', back)
    sh('diff', ['-r', tree.path, back])
  })
}
