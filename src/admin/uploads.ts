/** Multipart uploads in progress, and what is left of those that nobody will finish. */
import { z } from 'zod'
import { Unavailable } from '../errors.ts'
import { cleanUpload, cleanUploads } from '../jobs/clean-uploads.ts'
import { type ListedUpload, listUploads } from '../jobs/list-uploads.ts'
import { AdminRefusal } from './refusal.ts'
import { NONE, type Route, route } from './route.ts'
import { count, time } from './shapes.ts'
import type { AdminWorld } from './world.ts'

/** A Complete may be under way in what is younger. */
const LEAST_AGE_SECONDS = 3_600
const MOST_AGE_SECONDS = 365 * 24 * 3_600
const PER_PAGE = 100
const MOST_PER_PAGE = 1_000
const PER_CLEANING = 100

const id = z.string().regex(/^[0-9a-f]{32}$/, 'write the id of an upload: 32 lower-case hex digits')

const listQuery = z.strictObject({
  limit: z.coerce
    .number('write a whole number')
    .int('write a whole number')
    .min(1)
    .max(MOST_PER_PAGE)
    .default(PER_PAGE)
    .describe('Uploads in one answer.'),
  after: id.optional().describe('Goes on behind this upload: `next` of the answer before.'),
})

const listAnswer = z.strictObject({
  uploads: z.array(
    z.strictObject({
      id,
      state: z
        .enum(['open', 'abandoned', 'leftover', 'completed', 'unreadable'])
        .describe(
          '`open` may go on, `abandoned` and `leftover` are due for collection, of `completed` only the answer is kept, and the record of an `unreadable` one does not open.',
        ),
      attempts: count.describe('Parts that have arrived, with all their attempts.'),
      changed: time.describe('The last change.'),
      bucket: z.string().optional(),
      key: z.string().optional(),
      uploadId: z.string().optional(),
    }),
  ),
  next: id.optional().describe('Absent on the last page.'),
})

const cleanAnswer = z.strictObject({
  examined: count,
  abandoned: count.describe('Uploads aborted and deleted; of a dry run, those that would be.'),
  leftovers: count.describe('What crashes left of others, deleted.'),
  unreadable: count.describe('Their records do not open; they stay.'),
  failed: count.describe('Something did not answer; they stay.'),
  more: z.boolean().describe('There is more to do: ask again.'),
})

export const UPLOAD_ROUTES: readonly Route[] = [
  route({
    operation: 'listUploads',
    method: 'GET',
    path: '/v1/uploads',
    summary: 'Multipart uploads that have state, in the order of their ids, page by page.',
    params: NONE,
    query: listQuery,
    body: NONE,
    answer: listAnswer,
    run: (world, { query }) => list(world, query),
  }),
  route({
    operation: 'cleanUploads',
    method: 'POST',
    path: '/v1/uploads/clean',
    summary: `Aborts uploads that their clients abandoned, and deletes what crashes left of others: up to ${PER_CLEANING} in one call.`,
    params: NONE,
    query: NONE,
    body: z.strictObject({
      olderThanSeconds: z
        .int()
        .min(LEAST_AGE_SECONDS)
        .max(MOST_AGE_SECONDS)
        .optional()
        .describe('Without a change for so long. Default: uploads.abandonedAfter.'),
      dryRun: z.boolean().default(false).describe('Only looks.'),
    }),
    answer: cleanAnswer,
    target: ({ body: { olderThanSeconds, dryRun } }) =>
      `uploads older than ${olderThanSeconds === undefined ? 'uploads.abandonedAfter' : `${olderThanSeconds} s`}${dryRun ? ', dry run' : ''}`,
    run: async ({ uploads, store, clock, abandonedAfter, signal }, { body: { olderThanSeconds, dryRun } }) => {
      const age = olderThanSeconds === undefined ? abandonedAfter() : olderThanSeconds * 1_000
      const options = { abandonedAfter: age, dryRun, limit: PER_CLEANING, signal }
      const done = await cleanUploads({ uploads, store, clock }, options)
      const { examined, abandoned, leftovers, unreadable, failed, more } = done
      return { examined, abandoned, leftovers, unreadable, failed, more }
    },
  }),
  route({
    operation: 'deleteUpload',
    method: 'DELETE',
    path: '/v1/uploads/{id}',
    summary:
      'Aborts one upload in which nothing has changed for an hour, and deletes its state. A younger one is aborted by its client, over S3.',
    params: z.strictObject({ id }),
    query: NONE,
    body: NONE,
    answer: z.strictObject({ id, kind: z.enum(['abandoned', 'leftover']), outcome: z.literal('deleted') }),
    refusals: ['NotFound', 'Conflict'],
    target: ({ params }) => params.id,
    run: (world, { params }) => deleteOne(world, params.id),
  }),
]

async function list(
  { uploads, clock, abandonedAfter, signal }: AdminWorld,
  { limit, after }: z.output<typeof listQuery>,
): Promise<z.input<typeof listAnswer>> {
  const options = {
    now: clock(),
    abandonedAfter: abandonedAfter(),
    signal,
    ...(after === undefined ? {} : { after }),
  }
  const found: ListedUpload[] = []
  for await (const some of listUploads(uploads, options)) {
    found.push(...some)
    // One more than is told says whether there is a next page.
    if (found.length > limit) break
  }
  const page = found.slice(0, limit)
  const last = page.at(-1)
  return {
    uploads: page.map(({ record, changed, ...upload }) => ({
      ...upload,
      changed: new Date(changed).toISOString(),
      ...(record === undefined ? {} : { bucket: record.bucket, key: record.key, uploadId: record.uploadId }),
    })),
    ...(found.length > limit && last !== undefined ? { next: last.id } : {}),
  }
}

async function deleteOne({ uploads, store, clock }: AdminWorld, id: string) {
  const upload = await uploads.look(id)
  if (upload === undefined) throw new AdminRefusal('NotFound', 'There is no such upload.')
  if (upload.completed) {
    throw new AdminRefusal('Conflict', 'It is completed: only its answer is kept, and goes by itself after a day.')
  }
  const done = await cleanUpload({ uploads, store, clock }, upload, LEAST_AGE_SECONDS * 1_000)
  if (done === undefined) {
    const what = upload.created
      ? 'Something has changed in it within the last hour: its client aborts it over S3.'
      : 'It is what an upload left that may just be ending: it is collected after 7 days.'
    throw new AdminRefusal('Conflict', what)
  }
  const { kind, outcome, cause } = done
  if (outcome === 'deleted') return { id, kind, outcome }
  if (outcome === 'failed') throw cause ?? new Unavailable('an upload could not be deleted')
  const why =
    outcome === 'unreadable'
      ? 'Its record does not open, so that nobody can tell what to abort.'
      : 'It has just changed.'
  throw new AdminRefusal('Conflict', why, { cause })
}
