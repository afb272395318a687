/** What every key manager is tried with: the repository's own tests of it, and gateways that live for a few requests. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from './bare.mjs'
import { startGateway } from './gateway.mjs'
import { assert, attempt } from './shell.mjs'

const TEXT = 'sealed under a key of a key manager'

/** Of every client that tries one: its gateways are its own, and no store sees more of a key manager than of another. */
export const OWN_GATEWAYS = {
  leavesNothing: true,
  cannot: (_options, store) => (store.embedded ? undefined : 'key managers are tried over the embedded store'),
}

/** Runs a file of tests and records a check for each group of them. */
export function runContract({ record }, folder, file, env) {
  const report = join(folder, 'contract.json')
  const { output } = attempt(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=json', `--outputFile=${report}`, file],
    { env },
  )
  assert(existsSync(report), `the tests left no report\n${output.slice(-2000)}`)
  const groups = new Map()
  for (const test of JSON.parse(readFileSync(report, 'utf8')).testResults.flatMap((one) => one.assertionResults)) {
    const name = test.ancestorTitles.at(-1)
    groups.set(name, [...(groups.get(name) ?? []), test])
  }
  assert(groups.size > 0, 'no test ran')
  for (const [name, tests] of groups) {
    const failed = tests.filter(({ status }) => status === 'failed')
    const passed = tests.filter(({ status }) => status === 'passed').length
    const seconds = tests.reduce((sum, { duration = 0 }) => sum + duration, 0) / 1000
    const why = failed.map((one) => `${one.fullName}: ${one.failureMessages.join(' ').split('\n')[0]}`)
    record(name, failed.length === 0 && passed > 0, seconds, [`${passed} passed`, ...why].join('\n'))
  }
}

/** A log that tells of key managers has none of these secrets in it. */
export function assertNone(secrets, log) {
  assert(log.includes('key manager'), 'the log says nothing of key managers')
  const found = secrets.filter((secret) => log.includes(secret))
  assert(found.length === 0, `${found.length} secrets stand in the log`)
}

/** A gateway with these settings and a client of it, for `work` and no longer. */
export async function within({ cache, store }, env, work) {
  const gateway = await startGateway(cache, store, { env })
  const client = connect(gateway)
  /** What needs no key. */
  const list = () => client.send(new ListBucketsCommand({}))
  const put = async (Bucket, Key = 'one') => {
    await client.send(new CreateBucketCommand({ Bucket })).catch((error) => {
      if (error.name !== 'BucketAlreadyOwnedByYou') throw error
    })
    await client.send(new PutObjectCommand({ Bucket, Key, Body: TEXT }))
  }
  const get = async (Bucket, Key = 'one') => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
    assert((await Body.transformToString()) === TEXT, 'the bytes differ')
  }
  const log = () => readFileSync(gateway.log, 'utf8')
  try {
    return await work({ gateway, put, get, list, log })
  } finally {
    client.destroy()
    await gateway.stop()
  }
}

/** The status that a request was refused with. The client itself tries nothing twice here that matters: it is asked for the last answer. */
export async function refused(request) {
  try {
    await request
  } catch (error) {
    return error.$metadata?.httpStatusCode ?? 0
  }
  throw new Error('it was not refused')
}
