/** Gateways as a user starts them, with a master key in stand-ins for Azure Key Vault and Google Cloud KMS. */
import { writeFileSync } from 'node:fs'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AzureServer, CLIENT, TENANT } from '../helpers/azure-server.ts'
import { type Started, Workplace } from '../helpers/command.ts'
import { GcpServer, keyNameOf } from '../helpers/gcp-server.ts'

const azure = new AzureServer()
const gcp = new GcpServer()
const places: Workplace[] = []
let addresses = { azure: '', gcp: '' }

beforeAll(async () => {
  addresses = { azure: await azure.start(), gcp: await gcp.start() }
  azure.createKey('main')
  gcp.createKey('main')
})
afterAll(async () => {
  await Promise.all([azure.stop(), gcp.stop()])
  for (const place of places) place.remove()
})

/** A place whose gateways use that manager. */
function placeOf(manager: (place: Workplace) => object, env: Readonly<Record<string, string>> = {}): Workplace {
  const place = new Workplace(env)
  places.push(place)
  writeFileSync(place.path('client'), 'a-secret-of-a-client')
  const allow = [{ buckets: ['*'], actions: 'read-write' }]
  const settings = {
    keys: { active: 'cloud', managers: { cloud: manager(place) } },
    credentials: [{ accessKey: 'CLIENT', secretKeyFile: place.path('client'), allow }],
  }
  writeFileSync(place.path('sealgate.yaml'), JSON.stringify(settings))
  return place
}

const inAzure = (place: Workplace): object => {
  writeFileSync(place.path('secret'), azure.secret)
  const login = { method: 'client-secret', tenantId: TENANT, clientId: CLIENT, secretFile: place.path('secret') }
  const where = { vaultUrl: addresses.azure, authorityHost: addresses.azure, caFile: azure.caFile }
  return { type: 'azure-key-vault', keyName: 'main', ...where, login }
}

const inGoogle = (place: Workplace): object => {
  writeFileSync(place.path('credentials.json'), gcp.credentials())
  const credentialsFile = place.path('credentials.json')
  return { type: 'gcp-kms', keyName: keyNameOf('main'), endpoint: addresses.gcp, credentialsFile }
}

async function within(place: Workplace, work: (client: S3Client) => Promise<void>): Promise<Started> {
  const gateway = await place.serve()
  const credentials = { accessKeyId: 'CLIENT', secretAccessKey: 'a-secret-of-a-client' }
  const client = new S3Client({ endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  try {
    await work(client)
  } finally {
    client.destroy()
    expect(await gateway.stop()).toBe(0)
  }
  return gateway
}

const OBJECT = { Bucket: 'backups', Key: 'one' }

async function put(client: S3Client): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket: OBJECT.Bucket }))
  await client.send(new PutObjectCommand({ ...OBJECT, Body: 'sealed under a key in a cloud' }))
}

async function get(client: S3Client): Promise<void> {
  const { Body } = await client.send(new GetObjectCommand(OBJECT))
  expect(await Body?.transformToString()).toBe('sealed under a key in a cloud')
}

describe.each([
  ['azure-key-vault', inAzure],
  ['gcp-kms', inGoogle],
] as const)('a key manager of type %s', (_type, manager) => {
  it('seals objects that another process opens', async () => {
    const place = placeOf(manager)
    await within(place, put)
    await within(place, get)
  })
})

describe('what an SDK writes for whoever looks for a fault', () => {
  it('has no key, whatever the environment asks for', async () => {
    const place = placeOf(inGoogle, { GOOGLE_SDK_NODE_LOGGING: 'all' })
    const { stderr } = await within(place, put)
    const plaintext = gcp.plaintexts.at(-1) ?? ''
    expect(plaintext).toHaveLength(44)
    expect(stderr()).not.toContain(plaintext)
    expect(stderr()).not.toMatch(/Bearer|"plaintext"|plaintext.*Buffer/i)
  })
  it('has no name of a vault, a key or a caller either', async () => {
    const { stderr } = await within(placeOf(inAzure, { AZURE_LOG_LEVEL: 'verbose' }), put)
    expect(stderr()).not.toMatch(/\/keys\/main|azure:/)
    expect(stderr()).not.toContain(CLIENT)
  })
})
