/**
 * The access log of a gateway. Several workers hand their lines to the primary in batches: one writer means that lines of any length stay
 * whole on a pipe, that a full file is exchanged once, and that network file systems, which add to files at places of their own choice, do no harm.
 */
import cluster, { type Worker } from 'node:cluster'
import type { Writable } from 'node:stream'
import type { Settings } from '../../config/settings.ts'
import { writeAccessLog, type WriteLines } from '../../telemetry/access-log.ts'
import { LineFile } from '../../telemetry/line-file.ts'
import { OWNER } from '../../compose/gateway.ts'

const STDOUT = 'stdout'

/** Where the lines of a whole gateway go. */
export interface AccessLines {
  readonly write: WriteLines
  readonly close: () => Promise<void>
}

export function openAccessLines({ log }: Settings, stdout: Writable): AccessLines {
  if (log.accessFile === undefined) return { write: (text) => writeTo(stdout, text), close: async () => undefined }
  const file = new LineFile({ path: log.accessFile, rotateAt: log.accessRotateAt, keep: log.accessKeep })
  return { write: (text) => file.write(text), close: () => file.close() }
}

function writeTo(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}

/** Begins to write a line for each request of this process, where the settings want it. Returns what ends it. */
export function keepAccessLog({ log }: Settings, write: WriteLines): () => Promise<void> {
  if (log.access === false) return async () => undefined
  return writeAccessLog({ format: log.access, owner: OWNER.id, sink: log.accessFile ?? STDOUT, write })
}

interface Lines {
  readonly accessLines: string
  readonly batch: number
}

interface Taken {
  readonly accessTaken: number
  readonly failed?: string
}

const isLines = (message: unknown): message is Lines =>
  typeof message === 'object' && message !== null && 'accessLines' in message

const isTaken = (message: unknown): message is Taken =>
  typeof message === 'object' && message !== null && 'accessTaken' in message

/** In the primary: writes what workers hand over, and tells them. Returns what ends it. */
export function takeAccessLines({ write, close }: AccessLines): () => Promise<void> {
  // One after the other: `write` knows one batch.
  let writing = Promise.resolve()
  const take = (worker: Worker, message: unknown): void => {
    if (!isLines(message)) return
    const { accessLines, batch } = message
    const tell = (failed?: string): void => {
      // Whoever cannot be told has ended.
      worker.send({ accessTaken: batch, ...(failed === undefined ? {} : { failed }) } satisfies Taken, () => undefined)
    }
    writing = writing
      .then(() => write(accessLines))
      .then(
        () => tell(),
        (error: unknown) => tell(error instanceof Error ? error.message : 'it failed'),
      )
  }
  cluster.on('message', take)
  return async () => {
    cluster.off('message', take)
    await writing
    await close()
  }
}

/** In a worker. */
export function handToPrimary(): WriteLines {
  const waiting = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  let batch = 0
  process.on('message', (message) => {
    if (!isTaken(message)) return
    const { accessTaken, failed } = message
    const asked = waiting.get(accessTaken)
    waiting.delete(accessTaken)
    if (failed === undefined) asked?.resolve()
    else asked?.reject(new Error(failed))
  })
  process.on('disconnect', () => {
    for (const { reject } of waiting.values()) reject(new Error('the primary is gone'))
    waiting.clear()
  })
  return (text) =>
    new Promise((resolve, reject) => {
      if (!process.connected) {
        reject(new Error('the primary is gone'))
        return
      }
      batch += 1
      waiting.set(batch, { resolve, reject })
      process.send?.({ accessLines: text, batch } satisfies Lines)
    })
}
