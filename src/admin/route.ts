/** One operation of the admin API: its address, the schemas of what comes and goes, and what it does. */
import { z } from 'zod'
import type { AdminCaller, AdminInput } from './call.ts'
import type { Content } from './content.ts'
import { type AdminErrorCode, AdminRefusal } from './refusal.ts'
import type { AdminWorld } from './world.ts'

export type RouteMethod = 'GET' | 'POST' | 'DELETE'

/** What the listener, the document and the API itself need of it. */
export interface Route {
  readonly operation: string
  readonly method: RouteMethod
  /** With `{name}` for what differs from call to call. */
  readonly path: string
  readonly summary: string
  readonly params: z.ZodType
  readonly query: z.ZodType
  readonly body: z.ZodType
  readonly status: 200 | 202
  readonly answer: z.ZodType
  readonly refusals: readonly AdminErrorCode[]
  /** Media type of an answer that is no JSON: `run` returns `Content` then. */
  readonly content?: string
  /** Whether the listener does it, and others like it, one at a time. */
  readonly alone: boolean
  /** Whether the audit hears of it: it changes something, or shows what nobody else sees. */
  readonly audited: boolean
  /** Which of several processes does it; any, where it is absent. Throws as `target` does. */
  readonly worker?: (input: AdminInput) => number
  /** What it is about, for the audit. Throws `AdminRefusal` for input that its schemas do not take. */
  readonly target: (input: AdminInput) => string
  /** Throws as `target` does, and inner errors. */
  readonly run: (world: AdminWorld, input: AdminInput, caller: AdminCaller) => Promise<unknown>
}

interface Definition<P, Q, B, A extends z.ZodType> {
  readonly operation: string
  readonly method: RouteMethod
  readonly path: string
  readonly summary: string
  readonly params: z.ZodType<P>
  readonly query: z.ZodType<Q>
  readonly body: z.ZodType<B>
  readonly status?: 202
  readonly content?: string
  readonly alone?: true
  readonly worker?: (input: Checked<P, Q, B>) => number
  /** Absent where there is `content`. */
  readonly answer?: A
  /** Beside those that every operation has. */
  readonly refusals?: readonly AdminErrorCode[]
  /** Of an operation that is audited. */
  readonly target?: (input: Checked<P, Q, B>) => string
  readonly run: (world: AdminWorld, input: Checked<P, Q, B>, caller: AdminCaller) => Promise<z.input<A> | Content>
}

interface Checked<P, Q, B> {
  readonly params: P
  readonly query: Q
  readonly body: B
}

/** For whatever takes none. */
export const NONE = z.strictObject({})

export function route<P, Q, B, A extends z.ZodType = typeof NONE>(definition: Definition<P, Q, B, A>): Route {
  const {
    params,
    query,
    body,
    status = 200,
    answer = NONE,
    refusals = [],
    alone = false,
    target,
    worker,
    run,
    ...rest
  } = definition
  const check = (input: AdminInput): Checked<P, Q, B> => ({
    params: parse(params, input.params),
    query: parse(query, input.query),
    body: parse(body, input.body ?? {}),
  })
  return {
    ...rest,
    params,
    query,
    body,
    status,
    answer,
    refusals,
    alone,
    audited: target !== undefined,
    ...(worker === undefined ? {} : { worker: (input: AdminInput) => worker(check(input)) }),
    target: (input) => {
      const checked = check(input)
      return target?.(checked) ?? ''
    },
    run: (world, input, caller) => run(world, check(input), caller),
  }
}

/** What is said names fields and what they take, never what was sent. */
function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, MAX_FAULTS).map(({ path, code, message }) => {
    const what = code === 'unrecognized_keys' ? 'has a field that is not known' : message
    return path.length === 0 ? what : `${path.join('.')}: ${what}`
  })
  throw new AdminRefusal('BadRequest', faults.join('; '))
}

const MAX_FAULTS = 8
