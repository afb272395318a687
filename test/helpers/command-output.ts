/** What commands and gateways say. */
import { expect } from 'vitest'
import type { Ran } from './command.ts'

/** The output of a command that ends well, and has nothing to complain of. */
export async function done(running: Promise<Ran>): Promise<string> {
  const { code, stdout, stderr } = await running
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

/** Lines of JSON. */
export const jsonLines = (text: string): Record<string, unknown>[] => text.trim().split('\n').map(parsed)

/** Those of a log, which may have others between them. */
export const logLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map(parsed)

const parsed = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>
