/** Every store a gateway can be certified over, in the order of the matrix's columns. */
import { ceph } from './ceph.mjs'
import { embedded } from './embedded.mjs'
import { garage } from './garage.mjs'
import { minio } from './minio.mjs'
import { s3proxy } from './s3proxy.mjs'
import { versitygw } from './versitygw.mjs'

export const STORES = [embedded, minio, ceph, versitygw, garage, s3proxy]
