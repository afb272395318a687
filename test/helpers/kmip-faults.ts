/** Rows of the table "Faults of key managers" of docs/operations.md: keys in KMIP servers. */
import { randomBytes } from 'node:crypto'
import { bytes } from '../../src/keys/kmip/messages.ts'
import { REASON, TAG } from '../../src/keys/kmip/protocol.ts'
import type { Item } from '../../src/keys/kmip/ttlv.ts'
import { AWAY, BROKEN, changes, DISABLED, type Fault, MISSING, of, OK, REFUSED, SHORT } from './key-faults.ts'
import type { KmipServer } from './kmip-server.ts'
import type { OutageWorld } from './outage-world.ts'
import { pemFile } from './pem.ts'

const kmip = (world: OutageWorld): KmipServer => of(world, 'kmip').kmip

export const KMIP_FAULTS: readonly Fault[] = [
  {
    fault: 'another key than the one that wrapped',
    arrange: (world) => {
      kmip(world).createKey('other')
      return { key: { name: 'other' } }
    },
    read: BROKEN,
    write: OK,
    why: 'no key of it opens these bytes in this namespace and day',
    outcome: 'integrity',
  },
  {
    fault: 'the key is deactivated',
    arrange: changes((world) => kmip(world).set(of(world, 'kmip').id, { state: 'Deactivated' })),
    start: 'the key is Deactivated',
    read: DISABLED,
    write: DISABLED,
    why: 'the key is Deactivated',
    outcome: 'denied',
  },
  {
    fault: 'the key was deleted',
    arrange: changes((world) => kmip(world).keys.clear()),
    start: 'the server has no symmetric key of this name, or does not show it to this client',
    read: MISSING,
    write: MISSING,
    why: 'the server has no symmetric key of this name, or does not show it to this client',
    outcome: 'denied',
  },
  {
    fault: 'Decrypt is not allowed',
    arrange: changes((world) =>
      Object.assign(kmip(world), { faultAt: 'Decrypt', fault: { code: REASON.PermissionDenied } }),
    ),
    start: 'Decrypt failed (PermissionDenied)',
    read: REFUSED,
    write: REFUSED,
    why: 'Decrypt failed (PermissionDenied)',
    outcome: 'denied',
  },
  {
    fault: 'a password is wanted, and none is set',
    arrange: changes((world) => {
      kmip(world).credential = 'gateway:kmip-password'
    }),
    start: 'the server refuses the client certificate, or `username` and `password`',
    read: REFUSED,
    write: REFUSED,
    why: 'the server refuses the client certificate, or `username` and `password`',
    outcome: 'denied',
  },
  {
    fault: 'a client certificate that the server does not know',
    arrange: () => ({ certFile: pemFile('cert'), keyFile: pemFile('key') }),
    start: 'no connection, or one that broke',
    read: AWAY,
    write: AWAY,
    why: 'no connection, or one that broke',
    outcome: 'unavailable',
  },
  {
    fault: 'a certificate that nobody vouches for',
    arrange: () => ({ caFile: pemFile('other-cert') }),
    start: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
    read: AWAY,
    write: AWAY,
    why: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
    outcome: 'unavailable',
  },
  {
    fault: 'slow: no answer within `timeout`',
    arrange: (world) => {
      kmip(world).fault = 'silence'
      return SHORT
    },
    start: 'the server does not answer in time',
    read: AWAY,
    write: AWAY,
    why: 'the server does not answer in time',
    outcome: 'unavailable',
  },
  {
    fault: 'garbage',
    arrange: changes((world) => {
      kmip(world).fault = { bytes: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\nkey-1234') }
    }),
    start: 'something answers that is not KMIP, or breaks off',
    read: AWAY,
    write: AWAY,
    why: 'something answers that is not KMIP, or breaks off',
    outcome: 'unavailable',
  },
  {
    fault: "another key's plaintext",
    arrange: changes((world) => {
      const payload = (items: readonly Item[]): Item[] =>
        items.map((item) => (item.tag === TAG.data ? bytes(TAG.data, randomBytes(32)) : item))
      Object.assign(kmip(world), { faultAt: 'Decrypt', fault: { payload } })
    }),
    start: 'the server gave something else than was asked for',
    read: BROKEN,
    write: AWAY,
    why: 'unwrap failure: the wrapped key is not the key',
    outcome: 'ok',
  },
]
