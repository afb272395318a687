/** A call of the admin API and its answer, as plain data: they go from process to process. */
import type { Content } from './content.ts'
import { ADMIN_ERRORS, AdminRefusal, type AdminErrorCode } from './refusal.ts'

/** Who calls: as the audit says it, and from where. */
export interface AdminCaller {
  readonly who: string
  readonly peer: string
}

/** What came with the request, not looked at yet. */
export interface AdminInput {
  readonly params: unknown
  readonly query: unknown
  /** Absent if there was none. */
  readonly body?: unknown
}

export interface AdminCall {
  /** Name of the route. */
  readonly operation: string
  readonly input: AdminInput
  readonly caller: AdminCaller
  /** Which of several processes is to do it, from 1; any, where it is absent. */
  readonly worker?: number
}

export interface AdminAnswer {
  readonly status: number
  /** JSON. */
  readonly body: unknown
  /** In place of the body. Whoever has it reads it, or leaves it. */
  readonly content?: Content
  /** Set if it was not done. */
  readonly code?: AdminErrorCode
  /** Seconds after which it is worth to ask again. */
  readonly retryAfter?: number
}

/** Never throws: what goes wrong is an answer too. */
export type AnswerAdmin = (call: AdminCall) => Promise<AdminAnswer>

/** The answer that refuses. */
export function refuse(refusal: AdminErrorCode | AdminRefusal, retryAfter?: number): AdminAnswer {
  const { code, message } = refusal instanceof AdminRefusal ? refusal : new AdminRefusal(refusal)
  return {
    status: ADMIN_ERRORS[code][0],
    body: { error: { code, message } },
    code,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}
