/** One exact request on a connection of its own, and what error documents say. */
import { expect } from 'vitest'
import { parseXml } from '../../src/s3/xml.ts'
import type { TestGateway } from './gateway.ts'
import { head, type RawAnswer, RawConnection } from './raw-connection.ts'

export async function exchange(
  running: TestGateway,
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<RawAnswer> {
  const connection = await RawConnection.open(running.port)
  connection.write(head(method, path, headers) + body)
  const answer = await connection.answer(5_000, method === 'HEAD')
  connection.close()
  if (answer === undefined) throw new Error('the connection ended without an answer')
  return answer
}

/** Elements of an error document by name. */
export function elements(answer: RawAnswer): Record<string, string> {
  const document = parseXml(Buffer.from(answer.body), 100_000)
  expect(document.name).toBe('Error')
  return Object.fromEntries(document.children.map(({ name, text }) => [name, text]))
}

/** A whole and proper error document of this code; its elements. */
export function expectError(answer: RawAnswer, status: number, code: string): Record<string, string> {
  const found = elements(answer)
  expect([answer.status, found.Code]).toEqual([status, code])
  expect(answer.headers.get('content-type')).toBe('application/xml')
  expect(answer.body.startsWith('<?xml version="1.0" encoding="UTF-8"?>')).toBe(true)
  expect(found.RequestId).toMatch(/^[0-9A-F]{16}$/)
  expect(found.RequestId).toBe(answer.headers.get('x-amz-request-id'))
  expect(found.HostId).toBe(answer.headers.get('x-amz-id-2'))
  expect(found.Message).not.toBe('')
  return found
}
