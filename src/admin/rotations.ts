/** Rotation of master keys over all gateways. What is begun goes on in whichever of them is there. */
import { z } from 'zod'
import { PHASES } from '../state/rotation-record.ts'
import type { AdminCaller } from './call.ts'
import { AdminRefusal } from './refusal.ts'
import { NONE, type Route, route } from './route.ts'
import { alias, count, time } from './shapes.ts'

const rotation = z.strictObject({
  id: z.string(),
  from: alias,
  to: alias.describe('The same as `from` where its master key has a new version.'),
  phase: z
    .enum(PHASES)
    .describe(
      '`draining`: new keys are made by the new manager, until every gateway has said that it asks the old one for none. `rewrapping`: the keyring is wrapped anew. `dual-read`: it is, and the old manager is still asked for what the keyring does not have.',
    ),
  by: z.string().describe('Who asked for it.'),
  started: time,
  drainDeadline: time.describe('Until then every gateway has to have answered, or it waits for somebody.'),
  cutOver: time.optional(),
  dualReadDeadline: time.optional(),
  ended: time.optional(),
  forced: z.boolean(),
  stalled: z.string().optional().describe('Why it waits for somebody.'),
  total: count.describe('Records of the keyring when it began to wrap them anew.'),
  examined: count,
  rewrapped: count,
  failed: count,
  damaged: count,
  rate: z.number().optional().describe('Records in a second.'),
  secondsLeft: z.number().optional().describe('At that rate.'),
})

const force = z
  .boolean()
  .default(false)
  .describe('Past gateways that do not answer, keys that do not open, and a record that cannot be read.')

export const ROTATION_ROUTES: readonly Route[] = [
  route({
    operation: 'listRotations',
    method: 'GET',
    path: '/v1/rotations',
    summary: 'The rotation under way and those before it, the newest first, and who wraps new bucket keys by now.',
    params: NONE,
    query: NONE,
    body: NONE,
    answer: z.strictObject({
      sealsBy: alias.describe('The key manager that wraps new bucket keys where nothing names another.'),
      retired: z.array(alias).describe('Key managers under which nothing is sealed any more.'),
      rotations: z.array(rotation),
    }),
    refusals: ['Conflict'],
    run: async ({ rotations }) => {
      const { sealsBy, retired } = await rotations.succession()
      const ended = await rotations.history()
      const current = await rotations.current()
      const first = current === undefined || ended.some(({ id }) => id === current.id) ? [] : [current]
      return { sealsBy, retired: [...retired], rotations: [...first, ...ended] }
    },
  }),
  route({
    operation: 'startRotation',
    method: 'POST',
    path: '/v1/rotations',
    summary:
      'Begins: new bucket keys are wrapped by a new version of the master key or by another key manager, then all others are. No object is touched. Every gateway must have both managers in its settings before.',
    params: NONE,
    query: NONE,
    body: z.strictObject({
      from: alias.optional().describe('The key manager to leave. Default: the one that wraps new keys now.'),
      to: alias
        .optional()
        .describe('The key manager that wraps from now on. Default: the same, whose master key is new.'),
      force,
    }),
    status: 202,
    answer: rotation,
    refusals: ['Conflict'],
    target: ({ body: { from, to, force } }) =>
      `from ${from ?? 'the active one'}, to ${to ?? 'the same'}${forced(force)}`,
    run: ({ rotations }, { body: { from, to, force } }, caller) =>
      rotations.start({ from, to, by: nameOf(caller), force }),
  }),
  route({
    operation: 'getRotation',
    method: 'GET',
    path: '/v1/rotations/current',
    summary: 'The rotation under way, or else the last one.',
    params: NONE,
    query: NONE,
    body: NONE,
    answer: rotation,
    refusals: ['NotFound', 'Conflict'],
    run: async ({ rotations }) => {
      const current = await rotations.current()
      if (current === undefined) throw new AdminRefusal('NotFound', 'There was no rotation yet.')
      return current
    },
  }),
  route({
    operation: 'abortRotation',
    method: 'POST',
    path: '/v1/rotations/current/abort',
    summary: 'Gives it up: the old key manager wraps new keys again. What is wrapped anew stays so.',
    params: NONE,
    query: NONE,
    body: NONE,
    answer: rotation,
    refusals: ['Conflict'],
    target: () => 'the current one',
    run: ({ rotations }, _input, caller) => rotations.abort({ by: nameOf(caller) }),
  }),
  route({
    operation: 'resumeRotation',
    method: 'POST',
    path: '/v1/rotations/current/resume',
    summary:
      'Lets one that waits go on. Begins an aborted one again, and has the old key manager asked again after one that is done.',
    params: NONE,
    query: NONE,
    body: z.strictObject({ force }),
    status: 202,
    answer: rotation,
    refusals: ['Conflict'],
    target: ({ body }) => `the current one${forced(body.force)}`,
    run: ({ rotations }, { body }, caller) => rotations.resume({ by: nameOf(caller), force: body.force }),
  }),
]

const nameOf = ({ who }: AdminCaller): string => `admin API, ${who}`
const forced = (force: boolean): string => (force ? ', forced' : '')
