/** What an SDK was refused with. */
import { S3ServiceException } from '@aws-sdk/client-s3'

export interface Refused {
  readonly code: string
  readonly status: number | undefined
  readonly message: string
}

/** Throws unless the request was refused by the gateway. */
export async function refused(sent: Promise<unknown>): Promise<Refused> {
  try {
    await sent
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error
    return { code: error.name, status: error.$metadata.httpStatusCode, message: error.message }
  }
  throw new Error('nothing was refused')
}

/** Code and status of a refusal, or `none` for a request that was answered. */
export async function failure(sent: Promise<unknown>): Promise<[string, number | undefined]> {
  try {
    await sent
    return ['none', undefined]
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } }
    return [name, $metadata?.httpStatusCode]
  }
}

export const codeOfRefusal = async (sent: Promise<unknown>): Promise<string> => (await refused(sent)).code
