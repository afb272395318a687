/** The tags that an upload form gives its object: a document, read as strictly as that of PutObjectTagging (S3 behaviours 69 and 106). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { formBody, post, signForm } from '../helpers/signed-form.ts'
import { codeOf } from '../helpers/signed-request.ts'

const bucket = 'form-tags'
const folder = mkdtempSync(join(tmpdir(), 'sealgate-form-tags-'))
let store: LocalStore
let running: TestGateway

beforeAll(async () => {
  store = await LocalStore.open({ folder })
  running = await startGateway({ store })
  await running.client().send(new CreateBucketCommand({ Bucket: bucket }))
})

afterAll(async () => {
  await running.close()
  await store.close()
  rmSync(folder, { recursive: true })
})

function upload(key: string, tagging: string) {
  const conditions = [
    ['eq', '$key', key],
    ['starts-with', '$tagging', ''],
  ]
  const fields = [['key', key], ['tagging', tagging], ...signForm({ bucket, conditions })] as const
  return post(running, { path: `/${bucket}`, body: formBody(fields, 'contents') })
}

const tag = (key: string, value: string): string => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`

test('B69 B106 are kept with the object, whatever script they are in', async () => {
  const answer = await upload('tagged', `<Tagging><TagSet>${tag('a b', 'é+1')}${tag('c', '')}</TagSet></Tagging>`)
  expect(answer.status).toBe(204)
  const { attributes } = await store.attributesOf(bucket, 'tagged', {})
  const kept = new URLSearchParams(attributes['x-amz-tagging'])
  expect([...kept]).toEqual([
    ['a b', 'é+1'],
    ['c', ''],
  ])
})

test.each([
  ['no XML', 'a=b'],
  ['another root', '<Tags><TagSet/></Tags>'],
  ['no set', '<Tagging/>'],
  ['a tag without a value', '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>'],
  ['a tag with two keys', '<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value>c</Value></Tag></TagSet></Tagging>'],
  ['what no tag has', '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value><Until>c</Until></Tag></TagSet></Tagging>'],
])('B106 of a document with %s nothing is stored', async (_what, document) => {
  const answer = await upload('refused', document)
  expect([answer.status, codeOf(answer)]).toEqual([400, 'MalformedXML'])
  const read = running.client().send(new HeadObjectCommand({ Bucket: bucket, Key: 'refused' }))
  expect((await failure(read))[1]).toBe(404)
})
