/**
 * Several gateways over one store, their state in a bucket beside the objects: parts of one upload through all of them, conditional writes and
 * ends of uploads that compete, and a copy of many small files through two of which one is killed again and again.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { connect, objects, removeBucket } from './bare.mjs'
import { assert, freePort, serve, sleep } from './shell.mjs'

const Bucket = 'scale-out'
const STATE_BUCKET = 'scale-out-state'
const KEY_FILES = ['master-keys.json', 'aws-credentials']
const PART_BYTES = 5 * 2 ** 20
const RACERS = 100
const ROUNDS = 20
/** Requests under way at once during the copy. */
const PARALLEL = 16
/** How long one request is tried before the copy counts as failed. */
const PATIENCE_SECONDS = 60

/** The checks of this cell over the store of `context`; whatever it makes there is gone at the end. */
export async function scaleOut({ cache, store, check, quick }) {
  assert(!store.embedded, 'several gateways need a store that they can share')
  const folder = mkdtempSync(join(cache, 'scale-out-'))
  const replicas = []
  try {
    if (store.conditionalWrites === false) {
      await check('replicas do not start where the store has no conditional writes', () => refusesToStart(folder, store))
      return
    }
    await check('three gateways start with the same keys', async () => {
      for (const name of ['one', 'two', 'three']) {
        replicas.push(await prepareReplica(folder, store, name, replicas[0]))
        await replicas.at(-1).start()
      }
      await clientOf(replicas[0]).send(new CreateBucketCommand({ Bucket }))
    })
    for (const count of [2, 3]) {
      const clients = replicas.slice(0, count).map((one) => clientOf(one))
      await check(`parts of one upload through ${count} gateways`, () => partsEverywhere(clients))
      await check(`of ${RACERS} conditional writes through ${count} gateways one wins`, () => conditionalWrites(clients))
      await check(`one Complete sent to ${count} gateways at once`, () => completeEverywhere(replicas.slice(0, count)))
      await check(`Complete against Abort through ${count} gateways`, () => completeAgainstAbort(replicas.slice(0, count)))
    }
    await replicas[2]?.stop()
    const files = quick ? 1_000 : 10_000
    await check(`${files} small files through two gateways of which one is killed again and again`, () => copyUnderKills(replicas.slice(0, 2), files))
  } finally {
    for (const replica of replicas) await replica.stop()
    await clean(store)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A gateway that keeps its port and its keys when it starts anew; `keysOf` is the one whose keys it shares. */
async function prepareReplica(folder, store, name, keysOf) {
  const data = join(folder, name)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  for (const file of keysOf === undefined ? [] : KEY_FILES) cpSync(join(keysOf.data, file), join(data, file))
  const listen = `127.0.0.1:${await freePort()}`
  const env = { ...settingsFor(store), SEALGATE_DATA: data, SEALGATE_SERVER_LISTEN: listen }
  let server
  let starts = 0
  return {
    data,
    endpoint: `http://${listen}`,
    start: async () => {
      const log = join(folder, `${name}-${(starts += 1)}.log`)
      server = await serve(process.execPath, ['bin/sealgate.mjs', 'serve'], { env, log, ready: (text) => text.includes('ready at ') })
    },
    stop: () => server?.stop(),
    kill: async () => {
      process.kill(server.pid, 'SIGKILL')
      await server.stop()
    },
  }
}

function settingsFor({ endpoint, region, name, accessKey, secretKey }) {
  const at = (group) => ({
    [`SEALGATE_${group}_TYPE`]: 's3',
    [`SEALGATE_${group}_ENDPOINT`]: endpoint,
    [`SEALGATE_${group}_REGION`]: region,
    [`SEALGATE_${group}_PROFILE`]: name,
    [`SEALGATE_${group}_ACCESS_KEY_ID`]: accessKey,
    [`SEALGATE_${group}_SECRET_ACCESS_KEY`]: secretKey,
  })
  return { ...at('BACKEND'), ...at('STATE'), SEALGATE_STATE_BUCKET: STATE_BUCKET, SEALGATE_REPLICAS: '3', SEALGATE_ADMIN_LISTEN: 'off' }
}

/** A client that hears of every failure, unless told to try several times. */
function clientOf({ data, endpoint }, maxAttempts = 1) {
  const text = readFileSync(join(data, 'aws-credentials'), 'utf8')
  const value = (name) => new RegExp(`${name} = (\\S+)`).exec(text)?.[1] ?? ''
  const credentials = { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') }
  return new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts })
}

async function refusesToStart(folder, store) {
  const replica = await prepareReplica(folder, store, 'alone')
  const outcome = await replica.start().then(() => 'it started', (error) => error.message)
  await replica.stop()
  assert(outcome.includes('has no conditional writes'), outcome)
}

const read = async (client, Key) => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from(await Body.transformToByteArray())
}

const nameOfError = (error) => error.name ?? String(error)
const nameOf = ({ status, reason }) => (status === 'fulfilled' ? 'ok' : nameOfError(reason))

/** How often each outcome came. */
function tally(names) {
  const counts = new Map()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ')
}

async function begin(clients, bodies) {
  const Key = `upload-${randomBytes(6).toString('hex')}`
  const { UploadId } = await clients[0].send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const upload = { Bucket, Key, UploadId }
  const sendPart = async (Body, at) => {
    const PartNumber = at + 1
    const { ETag } = await clients[at % clients.length].send(new UploadPartCommand({ ...upload, PartNumber, Body }))
    return { PartNumber, ETag }
  }
  const Parts = await Promise.all(bodies.map(sendPart))
  return { Key, upload, Parts, complete: (client) => client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } })) }
}

async function partsEverywhere(clients) {
  const bodies = [...Array.from({ length: 8 }, () => randomBytes(PART_BYTES)), randomBytes(123_457)]
  const { Key, upload, Parts, complete } = await begin(clients, bodies)
  const listed = await clients[1].send(new ListPartsCommand(upload))
  const shown = (listed.Parts ?? []).map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
  assert(JSON.stringify(shown) === JSON.stringify(Parts), `the second gateway lists ${JSON.stringify(shown)}`)
  await complete(clients.at(-1))
  const whole = Buffer.concat(bodies)
  for (const client of clients) assert((await read(client, Key)).equals(whole), 'the bytes differ')
  return `${bodies.length} parts, ${(whole.length / 2 ** 20).toFixed(1)} MiB`
}

async function conditionalWrites(clients) {
  const told = []
  const race = async (Key, condition) => {
    const put = (_, at) => clients[at % clients.length].send(new PutObjectCommand({ Bucket, Key, Body: `racer ${at}`, ...condition }))
    const outcomes = await Promise.allSettled(Array.from({ length: RACERS }, put))
    const names = outcomes.map(nameOf)
    told.push(tally(names))
    assert(names.filter((name) => name === 'ok').length === 1, told.at(-1))
    const others = names.filter((name) => !['ok', 'PreconditionFailed', 'ConditionalRequestConflict'].includes(name))
    assert(others.length === 0, told.at(-1))
    for (const client of clients) assert((await read(client, Key)).toString() === `racer ${names.indexOf('ok')}`, 'the object is not that of the winner')
  }
  const name = randomBytes(6).toString('hex')
  await race(`none-${name}`, { IfNoneMatch: '*' })
  const { ETag } = await clients[0].send(new PutObjectCommand({ Bucket, Key: `match-${name}`, Body: 'first' }))
  await race(`match-${name}`, { IfMatch: ETag })
  return `If-None-Match: ${told[0]}; If-Match: ${told[1]}`
}

async function completeEverywhere(replicas) {
  const patient = replicas.map((one) => clientOf(one, 10))
  for (let round = 0; round < ROUNDS; round += 1) {
    const body = randomBytes(1_000)
    const { Key, complete } = await begin(patient, [body])
    const answers = await Promise.all(patient.map(complete))
    assert(new Set(answers.map(({ ETag }) => ETag)).size === 1, `ETags ${answers.map(({ ETag }) => ETag).join(' ')}`)
    assert((await read(patient[0], Key)).equals(body), 'the bytes differ')
  }
  return `${ROUNDS} uploads`
}

/** Told to come again (503), a client does, as every SDK does. */
async function completeAgainstAbort(replicas) {
  const clients = replicas.map((one) => clientOf(one, 10))
  const outcomes = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const body = randomBytes(1_000)
    const { Key, upload, complete } = await begin(clients, [body])
    const abort = async () => {
      await sleep(randomInt(60))
      return clients[(round + 1) % clients.length].send(new AbortMultipartUploadCommand(upload))
    }
    const both = await Promise.allSettled([complete(clients[round % clients.length]), abort()])
    outcomes.push(both.map(nameOf).join('/'))
    const found = await read(clients[round % clients.length], Key).then((bytes) => (bytes.equals(body) ? 'whole' : 'other bytes'), nameOfError)
    const sound = ['ok/NoSuchUpload whole', 'NoSuchUpload/ok NoSuchKey'].includes(`${outcomes.at(-1)} ${found}`)
    assert(sound, `round ${round}, Complete/Abort: ${outcomes.at(-1)}, the object: ${found}`)
  }
  return `Complete/Abort: ${tally(outcomes)}`
}

/** The bytes of a file, which nobody has to keep: 1 byte to some 12 KiB. */
function contentOf(at) {
  const seed = createHash('sha256').update(`file ${at}`).digest()
  return Buffer.alloc(1 + (seed.readUInt16BE() % 12_000), seed)
}

const nameFor = (at) => `files/${at % 97}/file-${at}`

/** Runs `work` for 0 … count - 1, some at once. */
async function each(count, work) {
  let next = 0
  const run = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: PARALLEL }, run))
}

/** A request goes to one gateway after the other until one of them has decided it. */
function roundRobin(clients) {
  let turn = 0
  const counts = { repeated: 0 }
  const send = async (work) => {
    const until = Date.now() + PATIENCE_SECONDS * 1_000
    for (;;) {
      try {
        return await work(clients[turn++ % clients.length])
      } catch (error) {
        const status = error.$metadata?.httpStatusCode
        if ((status >= 300 && status < 500) || Date.now() > until) throw error
        counts.repeated += 1
        await sleep(10)
      }
    }
  }
  return { send, counts }
}

async function copyUnderKills(replicas, files) {
  const { send, counts } = roundRobin(replicas.map((one) => clientOf(one)))
  const now = { copying: true, kills: 0 }
  const killing = async () => {
    while (now.copying) {
      await sleep(randomInt(500, 4_000))
      if (!now.copying) return
      const victim = replicas[now.kills % 2]
      await victim.kill()
      now.kills += 1
      await sleep(randomInt(1_000))
      await victim.start()
    }
  }
  const killer = killing()
  const started = Date.now()
  const seconds = () => (Date.now() - started) / 1_000
  try {
    await each(files, (at) => send((client) => client.send(new PutObjectCommand({ Bucket, Key: nameFor(at), Body: contentOf(at) }))))
  } finally {
    now.copying = false
    await killer
  }
  const copied = seconds()
  const repeated = counts.repeated
  assert(now.kills > 0, 'no gateway was killed: the copy was too short')
  const { listed, extra, differing, missing } = await compare(send, clientOf(replicas[0], 3), files)
  const summary =
    `${files} files in ${copied.toFixed(0)} s, ${now.kills} kills, ${repeated} requests sent again; ` +
    `${listed} listed, ${missing} missing, ${extra} extra, ${differing} different, read back in ${(seconds() - copied).toFixed(0)} s`
  assert(listed === files && missing + extra + differing === 0, summary)
  return summary
}

async function compare(send, client, files) {
  const names = new Set()
  for await (const { Key } of objects(client, Bucket)) if (Key.startsWith('files/')) names.add(Key)
  const listed = names.size
  let missing = 0
  let differing = 0
  await each(files, async (at) => {
    if (!names.delete(nameFor(at))) missing += 1
    else if (!(await send((one) => read(one, nameFor(at)))).equals(contentOf(at))) differing += 1
  })
  return { listed, missing, differing, extra: names.size }
}

async function clean(store) {
  const behind = connect(store)
  try {
    for (const name of [Bucket, STATE_BUCKET]) {
      await removeBucket(behind, name).catch((error) => {
        if (error.name !== 'NoSuchBucket') console.log(`(the bucket ${name} was not removed: ${error.message})`)
      })
    }
  } finally {
    behind.destroy()
  }
}
