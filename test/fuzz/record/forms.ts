/** Forms as browsers post them (POST Object), made by the `fetch` of Node. */
import { formatAmzDate } from '../../../src/s3/auth/amz-date.ts'
import { scopeOf } from '../../../src/s3/auth/scope.ts'
import { signatureOf, signingKey } from '../../../src/s3/auth/signing-key.ts'
import { ACCESS_KEY, SECRET_KEY } from '../../helpers/gateway.ts'

const BUCKET = 'fuzz-bucket'

/** The fields of a form whose policy allows any key that begins with `form`. */
function policyFields(): Record<string, string> {
  const date = formatAmzDate(Date.now())
  const scope = scopeOf(date.slice(0, 8), 'us-east-1', 's3')
  const named = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${ACCESS_KEY}/${scope.text}`,
    'x-amz-date': date,
  }
  const conditions = [
    { bucket: BUCKET },
    ['starts-with', '$key', 'form'],
    ['starts-with', '$Content-Type', ''],
    ['starts-with', '$success_action_status', ''],
    ['starts-with', '$x-amz-meta-a', ''],
    ['content-length-range', 0, 1000],
    ...Object.entries(named).map(([name, value]) => ({ [name]: value })),
  ]
  const policy = Buffer.from(JSON.stringify({ expiration: '2100-01-01T00:00:00Z', conditions })).toString('base64')
  const signature = signatureOf(signingKey(SECRET_KEY, scope.date, scope.region, scope.service), policy)
  return { ...named, policy, 'x-amz-signature': signature }
}

export async function formRequests(endpoint: string): Promise<void> {
  const post = async (fields: Record<string, string>, content?: string): Promise<void> => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    if (content !== undefined) form.append('file', new Blob([content], { type: 'text/plain' }), 'a "file" ü.txt')
    await fetch(`${endpoint}/${BUCKET}`, { method: 'POST', body: form })
  }
  const signed = policyFields()
  await post({ key: 'form/${filename}', ...signed }, 'hello')
  await post(
    { key: 'form-201', 'Content-Type': 'text/plain', success_action_status: '201', 'x-amz-meta-a': 'b', ...signed },
    'x'.repeat(900),
  )
  await post({ key: 'form-large', ...signed }, 'x'.repeat(1100))
  await post({ key: 'other', ...signed }, 'not allowed')
  await post({ key: 'form-anonymous' }, 'hello')
  await post({ key: 'form-nothing', ...signed })
}
