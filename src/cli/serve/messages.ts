/** What the primary and its workers say to each other; questions of health are in `health.ts`. */

/** The first word of a worker: from now on it hears what it is told. */
export const HELLO = 'hello'

/** To a worker: finish what is under way, and end. */
export const STOP = 'stop'

/** A worker has begun to serve. */
export interface WorkerMessage {
  readonly address: string
}
