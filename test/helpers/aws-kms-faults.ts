/** Rows of the table "Faults of key managers" of docs/operations.md: keys in AWS KMS. */
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
import { KmsServer } from './kms-server.ts'
import type { OutageWorld } from './outage-world.ts'

const kms = (world: OutageWorld): KmsServer => of(world, 'aws-kms').kms

export const AWS_FAULTS: readonly Fault[] = [
  {
    fault: 'another key than the one that wrapped',
    arrange: (world) => {
      kms(world).createKey('alias/other')
      return { keyId: 'alias/other' }
    },
    read: BROKEN,
    write: OK,
    why: 'wrapped by an AWS KMS key that key manager main does not name in keyId or formerKeyIds',
    outcome: 'integrity',
  },
  {
    fault: 'the key is disabled',
    arrange: changes((world) => kms(world).setState('alias/main', 'Disabled')),
    start: 'the AWS KMS key of main is Disabled, not Enabled',
    read: DISABLED,
    write: DISABLED,
    why: 'kms:Decrypt failed (DisabledException): the key is disabled',
    outcome: 'denied',
  },
  {
    fault: 'the key is about to be deleted',
    arrange: changes((world) => kms(world).setState('alias/main', 'PendingDeletion')),
    start: 'the AWS KMS key of main is PendingDeletion, not Enabled',
    read: STATE,
    write: STATE,
    why: 'kms:Decrypt failed (KMSInvalidStateException): the key is disabled or about to be deleted',
    outcome: 'denied',
  },
  {
    fault: '`keyId` names no key',
    arrange: () => ({ keyId: 'alias/lost' }),
    start: 'kms:DescribeKey failed (NotFoundException): there is no such key in this region and account',
    read: MISSING,
    write: MISSING,
    why: 'kms:DescribeKey failed (NotFoundException)',
    outcome: 'denied',
  },
  {
    fault: '`kms:Decrypt` is not allowed',
    arrange: changes((world) => kms(world).denied.push('Decrypt')),
    read: REFUSED,
    write: REFUSED,
    why: 'kms:Decrypt failed (AccessDeniedException): the credentials lack the permission',
    outcome: 'denied',
  },
  {
    fault: 'the wrong region',
    arrange: () => ({ region: 'us-east-1' }),
    start: 'kms:DescribeKey failed (NotFoundException): there is no such key in this region and account',
    read: REFUSED,
    write: MISSING,
    why: 'kms:Decrypt failed (AccessDeniedException): the credentials lack the permission',
    outcome: 'denied',
  },
  {
    fault: 'the session token has expired',
    arrange: changes((world) => {
      kms(world).fault = { name: 'ExpiredTokenException', status: 400 }
    }),
    start: 'kms:DescribeKey failed (ExpiredTokenException)',
    read: AWAY,
    write: AWAY,
    why: 'kms:Decrypt failed (ExpiredTokenException)',
    outcome: 'unavailable',
  },
  {
    fault: 'the access key was deleted',
    arrange: changes((world) => {
      kms(world).fault = { name: 'UnrecognizedClientException', status: 400 }
    }),
    start: 'kms:DescribeKey failed (UnrecognizedClientException): the access key is unknown',
    read: REFUSED,
    write: REFUSED,
    why: 'kms:Decrypt failed (UnrecognizedClientException): the access key is unknown',
    outcome: 'denied',
  },
  {
    fault: 'a certificate that nobody vouches for',
    arrange: async () => ({ endpoint: await stranger(new KmsServer({ tls: TLS })) }),
    start: 'kms:DescribeKey failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
    read: AWAY,
    write: AWAY,
    why: 'kms:Decrypt failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
    outcome: 'unavailable',
  },
  {
    fault: 'slow: no answer within `timeout`',
    arrange: (world) => {
      kms(world).fault = 'silence'
      return SHORT
    },
    start: 'kms:DescribeKey failed (TimeoutError): no answer in time',
    read: AWAY,
    write: AWAY,
    why: 'kms:Decrypt failed (TimeoutError): no answer in time',
    outcome: 'unavailable',
  },
  {
    fault: 'garbage',
    arrange: changes((world) => {
      kms(world).fault = { body: '<html>key-1234</html>' }
    }),
    start: 'kms:DescribeKey failed (SyntaxError)',
    read: AWAY,
    write: AWAY,
    why: 'kms:Decrypt failed (SyntaxError)',
    outcome: 'unavailable',
  },
  {
    fault: 'an answer of something else',
    arrange: changes((world) => {
      kms(world).fault = { body: '{}' }
    }),
    start: 'something answers that is not AWS KMS',
    read: AWAY,
    write: AWAY,
    why: 'something answers that is not AWS KMS',
    outcome: 'unavailable',
  },
  {
    fault: "another key's plaintext",
    arrange: changes((world) => {
      kms(world).confused = true
    }),
    read: BROKEN,
    write: AWAY,
    why: 'unwrap failure: the wrapped key is not the key',
    outcome: 'ok',
  },
]
