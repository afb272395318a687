/** Rows of the table "Faults of key managers" of docs/operations.md: keys in Azure and at Google. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AzureServer } from './azure-server.ts'
import { GcpServer, keyNameOf } from './gcp-server.ts'
import {
  AWAY,
  BROKEN,
  changes,
  DISABLED,
  type Fault,
  MISSING,
  of,
  OK,
  REFUSED,
  SHORT,
  STATE,
  stranger,
  TLS,
} from './key-faults.ts'
import type { OutageWorld } from './outage-world.ts'
import { pemFile } from './pem.ts'

const azure = (world: OutageWorld): AzureServer => of(world, 'azure-key-vault').azure
const gcp = (world: OutageWorld): GcpServer => of(world, 'gcp-kms').gcp

export const AZURE_FAULTS: readonly Fault[] = [
  {
    fault: 'another key than the one that wrapped',
    arrange: (world) => {
      azure(world).createKey('other')
      return { keyName: 'other' }
    },
    read: BROKEN,
    write: OK,
    why: 'wrapped by a version of a key that key manager main does not name in keyName or formerKeyNames',
    outcome: 'integrity',
  },
  {
    fault: 'the version of the key is disabled',
    arrange: changes((world) => {
      azure(world).newest('main').enabled = false
    }),
    start: 'the newest version of the key is disabled',
    read: DISABLED,
    write: DISABLED,
    why: 'unwrapKey failed (403, Forbidden, KeyDisabled): the key version is disabled',
    outcome: 'denied',
  },
  {
    fault: 'the key was deleted',
    arrange: changes((world) => azure(world).deleteKey('main')),
    start: 'get of the key failed (404, KeyNotFound): there is no such key in this vault',
    read: MISSING,
    write: MISSING,
    why: 'get of the key failed (404, KeyNotFound): there is no such key in this vault',
    outcome: 'denied',
  },
  {
    fault: 'the role is missing',
    arrange: changes((world) => {
      azure(world).fault = { status: 403, code: 'Forbidden', inner: 'ForbiddenByRbac' }
    }),
    start: 'get of the key failed (403, Forbidden, ForbiddenByRbac): the identity lacks the role of docs/keys.md',
    read: REFUSED,
    write: REFUSED,
    why: 'get of the key failed (403, Forbidden, ForbiddenByRbac): the identity lacks the role of docs/keys.md',
    outcome: 'denied',
  },
  {
    fault: 'the key may not unwrap',
    arrange: changes((world) => {
      azure(world).newest('main').operations = ['wrapKey', 'sign']
    }),
    start: 'the permitted operations of the key lack unwrapKey',
    read: REFUSED,
    write: REFUSED,
    why: 'unwrapKey failed (403, Forbidden, KeyOperationForbidden): the permitted operations of the key lack this one',
    outcome: 'denied',
  },
  {
    fault: 'the client secret has expired',
    arrange: changes((world) => {
      azure(world).secret = 'another one'
    }),
    start: 'the login is refused (invalid_client, AADSTS7000215)',
    read: REFUSED,
    write: REFUSED,
    why: 'the login is refused (invalid_client, AADSTS7000215)',
    outcome: 'denied',
  },
  {
    fault: 'no token is taken',
    arrange: changes((world) => {
      azure(world).takesTokens = false
    }),
    start: "get of the key failed (401, Unauthorized): the vault does not take the token; is it of the vault's tenant?",
    read: REFUSED,
    write: REFUSED,
    why: "get of the key failed (401, Unauthorized): the vault does not take the token; is it of the vault's tenant?",
    outcome: 'denied',
  },
  {
    fault: 'a certificate that nobody vouches for',
    arrange: () => ({ caFile: pemFile('other-cert') }),
    start: 'get of the key failed (RestError, DEPTH_ZERO_SELF_SIGNED_CERT)',
    read: AWAY,
    write: AWAY,
    why: 'get of the key failed (RestError, DEPTH_ZERO_SELF_SIGNED_CERT)',
    outcome: 'unavailable',
  },
  {
    fault: 'slow: no answer within `timeout`',
    arrange: (world) => {
      azure(world).fault = 'silence'
      return SHORT
    },
    start: 'get of the key failed (TimeoutError): no answer in time',
    read: AWAY,
    write: AWAY,
    why: 'get of the key failed (TimeoutError): no answer in time',
    outcome: 'unavailable',
  },
  {
    fault: 'garbage',
    arrange: changes((world) => {
      azure(world).fault = 'garbage'
    }),
    start: 'get of the key failed (TypeError)',
    read: AWAY,
    write: AWAY,
    why: 'get of the key failed (TypeError)',
    outcome: 'unavailable',
  },
  {
    fault: "another key's plaintext",
    arrange: changes((world) => {
      azure(world).confused = true
    }),
    read: BROKEN,
    write: AWAY,
    why: 'unwrap failure: the wrapped key is not the key',
    outcome: 'ok',
  },
]

export const GCP_FAULTS: readonly Fault[] = [
  {
    fault: 'another key than the one that wrapped',
    arrange: (world) => {
      gcp(world).createKey('other')
      return { keyName: keyNameOf('other') }
    },
    read: BROKEN,
    write: OK,
    why: 'no key of key manager main wrapped these bytes for this namespace and day',
    outcome: 'integrity',
  },
  ...(['DISABLED', 'DESTROYED'] as const).map((state) => ({
    fault: `the version of the key is ${state}`,
    arrange: changes((world) => {
      gcp(world).primary('main').state = state
    }),
    start:
      'encrypt failed (FAILED_PRECONDITION): the key version is disabled or destroyed, or the key has no primary version',
    read: STATE,
    write: STATE,
    why: 'decrypt failed (FAILED_PRECONDITION): the key version is disabled or destroyed',
    outcome: 'denied',
  })),
  {
    fault: '`keyName` names no key',
    arrange: () => ({ keyName: keyNameOf('lost') }),
    start: 'encrypt failed (NOT_FOUND): there is no such key',
    read: MISSING,
    write: MISSING,
    why: 'decrypt failed (NOT_FOUND): there is no such key',
    outcome: 'denied',
  },
  {
    fault: 'decrypting is not allowed',
    arrange: changes((world) => gcp(world).forbidden.add('decrypt')),
    read: REFUSED,
    write: REFUSED,
    why: 'decrypt failed (PERMISSION_DENIED): the identity lacks the role of docs/keys.md',
    outcome: 'denied',
  },
  {
    fault: 'the key of the service account was deleted, or its token has expired',
    arrange: (world) => {
      const credentialsFile = join(of(world, 'gcp-kms').folder, 'strange.json')
      writeFileSync(credentialsFile, new GcpServer().credentials())
      return { credentialsFile }
    },
    start: 'encrypt failed (UNAUTHENTICATED): the service does not take the token',
    read: REFUSED,
    write: REFUSED,
    why: 'decrypt failed (UNAUTHENTICATED): the service does not take the token',
    outcome: 'denied',
  },
  {
    fault: 'a certificate that nobody vouches for',
    arrange: async () => ({ endpoint: await stranger(new GcpServer({ tls: TLS })) }),
    start: 'encrypt failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
    read: AWAY,
    write: AWAY,
    why: 'decrypt failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
    outcome: 'unavailable',
  },
  {
    fault: 'slow: no answer within `timeout`',
    arrange: (world) => {
      gcp(world).fault = 'silence'
      return SHORT
    },
    start: 'encrypt failed (TimeoutError): no answer in time',
    read: AWAY,
    write: AWAY,
    why: 'decrypt failed (TimeoutError): no answer in time',
    outcome: 'unavailable',
  },
  {
    fault: 'garbage',
    arrange: changes((world) => {
      gcp(world).fault = 'garbage'
    }),
    start: 'encrypt failed (SyntaxError)',
    read: AWAY,
    write: AWAY,
    why: 'decrypt failed (SyntaxError)',
    outcome: 'unavailable',
  },
  {
    fault: 'an answer that was damaged on its way',
    arrange: changes((world) => {
      gcp(world).fault = 'damaged answer'
    }),
    start: 'what was sent or answered was damaged on the way',
    read: AWAY,
    write: AWAY,
    why: 'what was sent or answered was damaged on the way',
    outcome: 'unavailable',
  },
  {
    fault: "another key's plaintext",
    arrange: changes((world) => {
      gcp(world).confused = true
    }),
    read: BROKEN,
    write: AWAY,
    why: 'unwrap failure: the wrapped key is not the key',
    outcome: 'ok',
  },
]
