/** The keyring, and the key managers that have wrapped what is in it. */
import { z } from 'zod'
import { needsInWords, needsOf } from '../jobs/manager-needs.ts'
import { alarm } from '../telemetry/channels.ts'
import { AdminRefusal } from './refusal.ts'
import { type RewrapState, targetOf } from './rewrap-run.ts'
import { NONE, type Route, route } from './route.ts'
import { alias, count, time } from './shapes.ts'
import type { AdminWorld } from './world.ts'

const keysAnswer = z.strictObject({
  managers: z
    .array(
      z.strictObject({
        alias: z.string(),
        type: z.string().optional().describe('As in the settings. Absent if the settings have no such manager.'),
        configured: z.boolean().describe('If not, what it has wrapped cannot be read.'),
        active: z.boolean().describe('It wraps new bucket keys where nothing names another.'),
        health: z.enum(['ok', 'failing']).optional().describe('Whether it can be used now; the log says why not.'),
        keys: z.strictObject({
          active: count,
          retired: count,
          oldest: time.optional().describe('When its oldest bucket key was made.'),
        }),
      }),
    )
    .describe('A manager that has no keys is not needed to read any object of this keyring.'),
  unreadable: count.describe('Damaged records.'),
})

const rewrapAnswer = z.strictObject({
  state: z
    .enum(['none', 'running', 'done', 'failed', 'aborted'])
    .describe('`none`: there was no run since the process started. `done`: it has seen everything.'),
  from: alias.optional(),
  to: alias.optional(),
  dryRun: z.boolean().optional(),
  startedBy: z.string().optional(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  rewrapped: count.optional(),
  changed: count.optional().describe('Somebody else has replaced them meanwhile.'),
  failed: count.optional().describe('They are as they were; run it again.'),
  unreadable: count.optional().describe('Damaged records, told at the end.'),
})

const retireAnswer = z.strictObject({ alias, retired: z.boolean() })

export const KEY_ROUTES: readonly Route[] = [
  route({
    operation: 'listKeys',
    method: 'GET',
    path: '/v1/keys',
    summary: 'Key managers, their health, and how many bucket keys each has wrapped. Reads the whole keyring.',
    params: NONE,
    query: NONE,
    body: NONE,
    answer: keysAnswer,
    refusals: ['Conflict'],
    run: listKeys,
  }),
  route({
    operation: 'rewrapKeyring',
    method: 'POST',
    path: '/v1/keys/rewrap',
    summary:
      'Begins to wrap every bucket key anew, under the newest master key or by another key manager. No object is touched. Broken off, it is begun again.',
    params: NONE,
    query: NONE,
    body: z.strictObject({
      from: alias.optional().describe('Only keys that this key manager has wrapped. Default: all.'),
      to: alias.optional().describe('The key manager that wraps them from now on. Default: the one that had.'),
      dryRun: z.boolean().default(false).describe('Opens and wraps each key, and changes nothing.'),
    }),
    status: 202,
    answer: rewrapAnswer,
    refusals: ['Conflict'],
    target: ({ body }) => targetOf(body),
    run: async ({ rewrap }, { body }, caller) => told(rewrap.start(body, caller)),
  }),
  route({
    operation: 'getRewrap',
    method: 'GET',
    path: '/v1/keys/rewrap',
    summary: 'How far that is, or how it ended.',
    params: NONE,
    query: NONE,
    body: NONE,
    answer: rewrapAnswer,
    run: async ({ rewrap }) => (rewrap.state === undefined ? { state: 'none' as const } : told(rewrap.state)),
  }),
  route({
    operation: 'abortRewrap',
    method: 'POST',
    path: '/v1/keys/rewrap/abort',
    summary: 'Ends it after the keys that it is at. What is wrapped anew stays so.',
    params: NONE,
    query: NONE,
    body: NONE,
    answer: rewrapAnswer,
    refusals: ['Conflict'],
    target: () => 'the run',
    run: async ({ rewrap }) => told(await rewrap.abort()),
  }),
  route({
    operation: 'retireManager',
    method: 'POST',
    path: '/v1/keys/{alias}/retire',
    summary:
      'Nothing is sealed any more under a key manager that was rotated out. Refused while a bucket key of the keyring, an upload in progress or a key in use needs it, and the answer says how many. It does not look at objects: `sealgate keys retire --scan` does.',
    params: z.strictObject({ alias }),
    query: NONE,
    body: z.strictObject({ undo: z.boolean().default(false).describe('Takes it back.') }),
    answer: retireAnswer,
    refusals: ['NotFound', 'Conflict'],
    target: ({ params, body }) => `${params.alias}${body.undo ? ', taken back' : ''}`,
    run: (world, { params, body }) => retire(world, params.alias, body.undo),
  }),
]

async function retire(
  { keyring, uploads, rotations, managers, signal }: AdminWorld,
  name: string,
  undo: boolean,
): Promise<z.input<typeof retireAnswer>> {
  if (!managers.has(name)) throw new AdminRefusal('NotFound', 'There is no such key manager in the settings.')
  if (!undo) {
    const needs = await needsOf({ keyring, abandonedUploads: uploads }, name, signal)
    if (Object.values(needs).some((number) => number > 0)) {
      throw new AdminRefusal('Conflict', `It is still needed by ${needsInWords(needs)}.`)
    }
  }
  await rotations.retire(name, { undo })
  return { alias: name, retired: !undo }
}

async function listKeys(world: AdminWorld): Promise<z.input<typeof keysAnswer>> {
  const { managers, typeOf, rotations } = world
  const { sealsBy } = await rotations.succession()
  const health = new Map(
    await Promise.all(
      [...managers].map(async ([alias, manager]) => {
        const well = await manager.health().then(
          () => 'ok' as const,
          (cause: unknown) => {
            alarm.publish({ what: 'not ready', detail: { dependency: `keys/${alias}` }, cause })
            return 'failing' as const
          },
        )
        return [alias, well] as const
      }),
    ),
  )
  const counted = await world.countKeyring()
  return {
    managers: [...counted.managers].map(([alias, { active, retired, oldest }]) => {
      const type = typeOf(alias)
      const well = health.get(alias)
      return {
        alias,
        ...(type === undefined ? {} : { type }),
        configured: managers.has(alias),
        active: alias === sealsBy,
        ...(well === undefined ? {} : { health: well }),
        keys: { active, retired, ...(oldest === undefined ? {} : { oldest: new Date(oldest).toISOString() }) },
      }
    }),
    unreadable: counted.unreadable,
  }
}

function told({ counts, startedAt, endedAt, ...state }: RewrapState): z.input<typeof rewrapAnswer> {
  const ended = endedAt === undefined ? {} : { endedAt: new Date(endedAt).toISOString() }
  return { ...state, startedAt: new Date(startedAt).toISOString(), ...ended, ...counts }
}
