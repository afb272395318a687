/** Terraform's S3 state backend with its lock file, and a resource that needs no provider to be downloaded. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { assert, attempt, has, sh } from '../shell.mjs'
import { sdkEnv } from './program.mjs'

const BUCKET = 'terraform-checks'

const configuration = (endpoint, lock) => `terraform {
  backend "s3" {
    bucket = "${BUCKET}"
    key = "state/main.tfstate"
    region = "us-east-1"
    endpoints = { s3 = "${endpoint}" }
    use_path_style = true
    use_lockfile = ${lock}
    skip_credentials_validation = true
    skip_metadata_api_check = true
    skip_region_validation = true
    skip_requesting_account_id = true
  }
}
variable "word" {}
resource "terraform_data" "one" { input = var.word }
output "word" { value = terraform_data.one.output }
`

export const terraform = {
  name: 'terraform',
  label: 'Terraform S3 state',
  notes:
    'With `use_lockfile`, which needs conditional writes; without it over stores that have none, where locking must fail.',
  install() {
    if (!has('terraform', ['version'])) throw new Error('there is no terraform on this machine')
    return {
      version: JSON.parse(sh('terraform', ['version', '-json'], { env: { TF_CLI_CONFIG_FILE: '/dev/null' } }))
        .terraform_version,
    }
  },
  async run(cx) {
    const { gateway, check, conditional } = cx
    const client = connect(gateway)
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    const folder = join(gateway.folder, 'terraform')
    mkdirSync(folder)
    const env = {
      ...sdkEnv(cx, ''),
      TF_CLI_CONFIG_FILE: '/dev/null',
      TF_IN_AUTOMATION: '1',
      CHECKPOINT_DISABLE: '1',
      AWS_MAX_ATTEMPTS: '2',
    }
    const terraform = (...args) => sh('terraform', args, { env, cwd: folder, minutes: 3 })
    const apply = (word) => ['apply', '-auto-approve', '-input=false', '-no-color', `-var=word=${word}`]
    const use = (lock) => {
      writeFileSync(join(folder, 'main.tf'), configuration(gateway.endpoint, lock))
      terraform('init', '-input=false', '-no-color', '-reconfigure')
    }
    await check('init and apply', () => {
      use(conditional === '412')
      terraform(...apply('first'))
    })
    await check('apply again, state pull and output', () => {
      terraform(...apply('second'))
      assert(JSON.parse(terraform('output', '-json', 'word')) === 'second', 'the output is not the new one')
      assert(JSON.parse(terraform('state', 'pull')).serial >= 2, 'the serial did not grow')
    })
    await check('a lock that is held keeps it out', async () => {
      if (conditional === '412') {
        const lock = {
          ID: 'somebody',
          Operation: 'OperationTypeApply',
          Who: 'else',
          Created: '2026-01-01T00:00:00Z',
          Path: `${BUCKET}/state/main.tfstate`,
        }
        await client.send(
          new PutObjectCommand({ Bucket: BUCKET, Key: 'state/main.tfstate.tflock', Body: JSON.stringify(lock) }),
        )
      } else use(true)
      const { status, output } = attempt('terraform', apply('third'), { env, cwd: folder, minutes: 3 })
      const why = conditional === '412' ? /PreconditionFailed|state lock/ : /NotImplemented/
      assert(status !== 0 && why.test(output), output)
      if (conditional === '412') terraform('force-unlock', '-force', 'somebody')
      else use(false)
    })
    await check('destroy', () => {
      terraform('destroy', '-auto-approve', '-input=false', '-no-color', '-var=word=x')
      assert(JSON.parse(terraform('state', 'pull')).resources.length === 0, 'resources are left')
    })
    client.destroy()
  },
}
