/** Parts of requests, briefly. */
import { Headers } from '../../src/s3/headers.ts'
import { Query } from '../../src/s3/query.ts'
import { answer } from './auth/fixtures.ts'

export const headers = (entries: Record<string, string> = {}): Headers => new Headers(Object.entries(entries).flat())

export const query = (raw = ''): Query => new Query(raw)

/** The code that a call is refused with. */
export const codeOf = (run: () => unknown): string => answer(run).code
