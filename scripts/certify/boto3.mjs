/** boto3: objects, transfers, ranges, conditions, checksums, copies, multipart, listings, presigned URLs; see boto3-checks.py. */
import { join } from 'node:path'
import { python } from './python.mjs'
import { sh } from './shell.mjs'

export async function boto3({ cache, gateway, check }) {
  const bin = python(cache, ['boto3==1.44.5'])
  const env = {
    ENDPOINT: gateway.endpoint,
    AWS_ACCESS_KEY_ID: gateway.accessKey,
    AWS_SECRET_ACCESS_KEY: gateway.secretKey,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  const script = join('scripts', 'certify', 'boto3-checks.py')
  const names = sh(join(bin, 'python'), [script, '--list'], { env }).trim().split('\n')
  for (const name of names) await check(name.replaceAll('_', ' '), () => void sh(join(bin, 'python'), [script, name], { env }))
  return { version: sh(join(bin, 'python'), ['-c', 'import boto3; print(boto3.__version__)']).trim() }
}
