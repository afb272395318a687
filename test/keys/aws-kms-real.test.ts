/** What the AWS KMS key manager promises, against moto's KMS: certification says where it is. */
import { KMS } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, it } from 'vitest'
import { AwsKmsKeyManager } from '../../src/keys/aws-kms.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const given = process.env.SEALGATE_TEST_MOTO

describe.skipIf(given === undefined)('with moto', () => {
  const { endpoint } = JSON.parse(given ?? '{"endpoint":""}') as { readonly endpoint: string }
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'kms-test-secret' }
  const connect = (region: string): KMS => new KMS({ endpoint, region, credentials, maxAttempts: 1 })
  const admin = connect('eu-central-1')
  const ids = new Map<string, string>()

  /** Of the alias that it then has. */
  async function createKey(alias: string, options: { readonly MultiRegion?: boolean } = {}): Promise<string> {
    const { KeyMetadata } = await admin.createKey(options)
    const TargetKeyId = KeyMetadata?.KeyId ?? ''
    await admin.createAlias({ AliasName: `alias/${alias}`, TargetKeyId })
    ids.set(alias, TargetKeyId)
    return TargetKeyId
  }

  beforeAll(async () => {
    for (const alias of ['main', 'other']) await createKey(alias)
  })

  function open(keyId: string, { alias = 'main', region = 'eu-central-1', formerKeyIds = [] as string[] } = {}) {
    return new AwsKmsKeyManager({ alias, kms: connect(region), keyId, formerKeyIds, timeout: 10_000 })
  }

  keyManagerContract('AWS KMS (moto)', {
    tag: 'a',
    create: async (alias) => open('alias/main', { alias }),
    stranger: async (alias) => open('alias/other', { alias }),
    bindsContext: true,
    wrapsAtRandom: true,
  })

  it('KMS itself refuses another encryption context, and takes that of docs/format.md', async () => {
    const { key, wrapped } = await open('alias/main').generate(CONTEXT)
    const bound = { 'sealgate:namespace': 'backups', 'sealgate:day': '20417' }
    const { Plaintext } = await admin.decrypt({ CiphertextBlob: wrapped, EncryptionContext: bound })
    expect(Buffer.from(Plaintext ?? []).equals(key)).toBe(true)
    for (const other of [undefined, { ...bound, 'sealgate:day': '20418' }, { ...bound, 'sealgate:namespace': 'b' }]) {
      const opened = admin.decrypt({ CiphertextBlob: wrapped, EncryptionContext: other })
      await expect(opened).rejects.toMatchObject({ name: 'InvalidCiphertextException' })
    }
  })

  it('takes an id, an ARN and an alias, and is told of one that is not there by its name', async () => {
    const id = ids.get('main') ?? ''
    const { KeyMetadata } = await admin.describeKey({ KeyId: id })
    const { key, wrapped } = await open('alias/main').generate(CONTEXT)
    for (const name of [id, KeyMetadata?.Arn ?? '', 'alias/main']) {
      expect((await open(name).unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
      await open(name).health()
    }
    await expect(open('alias/absent').health()).rejects.toMatchObject({ kind: 'denied' })
    await expect(open('alias/absent').generate(CONTEXT)).rejects.toThrow('NotFoundException')
  })

  it('what one replica of a multi-region key wrapped another opens and rewraps', async () => {
    const id = await createKey('everywhere', { MultiRegion: true })
    await admin.replicateKey({ KeyId: id, ReplicaRegion: 'us-west-2' })
    const [here, there] = [open(id), open(id, { region: 'us-west-2' })]
    const { key, wrapped } = await here.generate(CONTEXT)
    expect((await there.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await there.rewrap(wrapped, CONTEXT)
    expect((await here.unwrap(again, CONTEXT)).equals(key)).toBe(true)
  })

  it('another key takes the place of a former one', async () => {
    const { key, wrapped } = await open('alias/other').generate(CONTEXT)
    const manager = open('alias/main', { formerKeyIds: ['alias/other'] })
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    expect((await open('alias/main').unwrap(again, CONTEXT)).equals(key)).toBe(true)
  })
})
