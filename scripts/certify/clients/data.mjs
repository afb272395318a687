/** pyarrow and polars: parquet through their own S3 clients; see data-checks.py. */
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { python } from '../install.mjs'
import { sh } from '../shell.mjs'
import { runProgram, sdkEnv } from './program.mjs'

const BUCKET = 'data-checks'
const [PYARROW, POLARS] = ['26.0.1', '2.1.0']

export const data = {
  name: 'data',
  label: 'pyarrow and polars',
  install({ cache }) {
    const bin = python(cache, [`pyarrow==${PYARROW}`, `polars==${POLARS}`], 'python-data')
    return { bin, version: `${PYARROW}, ${POLARS}` }
  },
  async run(cx, { bin }) {
    const client = connect(cx.gateway)
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
    const script = join('scripts', 'certify', 'clients', 'data-checks.py')
    runProgram(cx, () => sh(join(bin, 'python'), [script], { env: sdkEnv(cx, BUCKET) }))
  },
}
