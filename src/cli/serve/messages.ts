/** What the primary and its workers say to each other; questions of health are in `health.ts`. */
import type { Live } from '../../compose/live.ts'

/** The first word of a worker: from now on it hears what it is told. */
export const HELLO = 'hello'

/** To a worker: finish what is under way, and end. */
export const STOP = 'stop'

/** To a worker: what it begins with, or what is in effect from now on. */
export interface Told {
  readonly live: Live
  /** Comes back in the answer. */
  readonly round: number
  /** Of the places that workers have, from 1, the one that this worker takes: whoever replaces it takes it over. */
  readonly slot: number
}

/** From a worker. */
export interface WorkerMessage {
  /** It has begun to serve. */
  readonly address?: string
  /** It has heard; `failed` says why nothing changed. */
  readonly round?: number
  readonly failed?: string
}

export function isTold(message: unknown): message is Told {
  return typeof message === 'object' && message !== null && 'live' in message
}
