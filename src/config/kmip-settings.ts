/** A key of a KMIP server. */
import { z } from 'zod'
import { count, hostAndPort, path, secret } from './shapes.ts'

const text = z
  .string()
  .regex(/^(?! )[^\p{Cc}]{1,256}(?<! )$/u, 'write it as the server tells it, without spaces at its ends')

const place = {
  id: text.optional().describe('Unique identifier of the key.'),
  name: text.optional().describe('Name of the key, as an uninterpreted text string.'),
}
const ONE_OF = 'name the key by id or by name, not by both'
const isOne = ({ id, name }: { readonly id?: string | undefined; readonly name?: string | undefined }): boolean =>
  (id === undefined) !== (name === undefined)

const key = z
  .strictObject({
    ...place,
    mechanism: z
      .enum(['encrypt', 'get'], 'write encrypt or get')
      .default('encrypt')
      .describe(
        '`encrypt`: the server wraps bucket keys, by AES-GCM (KMIP 1.4). `get`: it gives its key away for each call, wrapped under `wrappingKey`.',
      ),
  })
  .refine(isOne, ONE_OF)

const wrappingKey = z
  .strictObject({
    ...place,
    key: secret(
      'The same key in hex; it or `keyFile` is required.',
      z.string().regex(/^[0-9a-fA-F]{64}$/, 'write 64 hex digits'),
    ),
  })
  .refine(isOne, ONE_OF)

/** The settings of a key manager of type `kmip`, but for those of every remote one. */
export const kmip = {
  type: z.literal('kmip').describe('`kmip`: an AES-256 key of a KMIP server.'),
  address: hostAndPort.describe('Host and port of the KMIP server, kmip.example.com:5696 for instance.'),
  serverName: z
    .string()
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-.]{0,251}[a-zA-Z0-9])?$/, 'write a host name')
    .optional()
    .describe("Name that the server's certificate has, if not that of `address`."),
  certFile: path('Client certificate (PEM). It is read anew for each connection, as are `keyFile` and `caFile`.'),
  keyFile: path('Its private key (PEM).'),
  username: text.optional().describe('Name to log in with, where the server wants one besides the certificate.'),
  password: secret('Password of `username`.').optional(),
  key,
  formerKeys: z
    .array(key)
    .max(16, 'name at most 16')
    .default([])
    .describe('Keys of the server that bucket keys were wrapped by before.'),
  wrappingKey: wrappingKey
    .optional()
    .describe('AES-256 key that the server wraps others by; the mechanism `get` needs it.'),
  connections: count({ least: 1, most: 32 }).default(2).describe('Connections to the server at most, in each worker.'),
}
