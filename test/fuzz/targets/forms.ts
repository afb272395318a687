/** Upload forms: where the file is, what the fields mean, and who may have made them. */
import fc from 'fast-check'
import { authenticateForm, parsePolicy } from '../../../src/s3/auth/post-policy.ts'
import { formBoundary, type FormField, FormParser } from '../../../src/s3/form-data.ts'
import { formFields, readPostForm, redirectTo } from '../../../src/s3/post-form.ts'
import { BOUNDARY, type Fields, formBody, signForm } from '../../helpers/signed-form.ts'
import { mutated } from '../mutate.ts'
import { orRefuse, parserTarget } from '../target.ts'

const NOW = Date.UTC(2026, 0, 1)
const SECRET = 'secret'
const REQUESTS: Fields[] = [
  [
    ['key', 'a/${filename}'],
    ['acl', 'private'],
    ['success_action_status', '201'],
  ],
  [
    ['KEY', 'ü'],
    ['Content-Type', 'text/plain'],
    ['x-amz-meta-a', 'b'],
    ['success_action_redirect', 'https://a.test/?b#c'],
  ],
  [
    ['key', 'k'],
    ['tagging', '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'],
  ],
]
const conditionsOf = (fields: Fields): unknown[] => [
  ...fields.map(([name]) => ['starts-with', `$${name}`, '']),
  ['content-length-range', 0, 10],
]
const FORMS = REQUESTS.map((fields) => {
  const conditions = conditionsOf(fields)
  return formBody(
    [...fields, ...signForm({ bucket: 'b', conditions, now: NOW, accessKey: 'A', secret: SECRET })],
    'file',
    'a.txt',
    [['after', '']],
  )
})
const POLICIES = REQUESTS.map((fields) => {
  const conditions = [{ bucket: 'b' }, ...conditionsOf(fields)]
  return Buffer.from(JSON.stringify({ expiration: '2026-01-01T00:01:00.000Z', conditions }))
})
const TYPES = [`multipart/form-data; boundary=${BOUNDARY}`, 'multipart/form-data; boundary="a b"'].map((text) =>
  Buffer.from(text),
)

const input = fc.record({
  form: mutated(FORMS, 4),
  cuts: fc.array(fc.nat(2_000), { maxLength: 6 }),
  policy: mutated(POLICIES, 3),
  type: mutated(TYPES, 2),
  signed: fc.boolean(),
})

interface Parsed {
  readonly fields: readonly FormField[]
  readonly filename: string
  readonly file: Buffer
}

function parse(pieces: readonly Buffer[]): Parsed {
  const parser = new FormParser(BOUNDARY)
  const file = pieces.flatMap((piece) => parser.push(piece))
  parser.end()
  return { fields: parser.fields, filename: parser.filename ?? '', file: Buffer.concat(file) }
}

export const formsTarget = parserTarget('forms', 5, input, ({ form, cuts, policy, type, signed }) => {
  orRefuse(() => new FormParser(formBoundary(type.toString('latin1'))).push(form))
  orRefuse(() => parsePolicy(policy.toString('base64')))
  const ends = [...cuts, form.length].sort((a, b) => a - b)
  const atOnce = orRefuse(() => parse([form]))
  const inPieces = orRefuse(() => parse(ends.map((end, i) => form.subarray(ends[i - 1] ?? 0, end))))
  if (JSON.stringify(atOnce) !== JSON.stringify(inPieces)) throw new Error('the cuts of the form decide')
  if (atOnce === undefined) return
  const { fields, filename } = atOnce
  // A policy that was changed, and signed all the same.
  const conditions = signed
    ? signForm({
        bucket: 'b',
        conditions: [],
        policy: policy.toString('latin1'),
        now: NOW,
        accessKey: 'A',
        secret: SECRET,
      })
    : []
  const names = new Set(conditions.map(([name]) => name))
  const all = [
    ...fields.filter(({ name }) => !names.has(name)),
    ...conditions.map(([name, value]) => ({ name, value })),
  ]
  const found = orRefuse(() => formFields(all, filename))
  if (found === undefined) return
  const asked = orRefuse(() => readPostForm(found))
  if (asked?.reply.redirect !== undefined) redirectTo(asked.reply.redirect, { bucket: 'b', key: asked.key, etag: '""' })
  const lookup = (accessKey: string) => (accessKey === 'A' ? { secret: SECRET } : undefined)
  const made = orRefuse(() => authenticateForm(found, 'b', { now: new Date(NOW), region: undefined, lookup }))
  if (made !== undefined && made.accessKey !== 'A') throw new Error('a form of somebody else')
})
