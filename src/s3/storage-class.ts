/** Storage classes of S3. */
import { S3Error, unbuiltHeader } from './errors.ts'

/** All that S3 names somewhere. */
export const STORAGE_CLASSES = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER',
  'DEEP_ARCHIVE',
  'OUTPOSTS',
  'GLACIER_IR',
  'SNOW',
  'EXPRESS_ONEZONE',
  'FSX_OPENZFS',
  'FSX_ONTAP',
] as const

/** What an object can be given whose contents can be read at any time. */
const READABLE = ['STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR']
/** S3 restores a copy before anybody can read those again (B109), and here nothing does. */
const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE']

/** The class of a new object as it is named. Throws `NotImplemented` for an archive, `InvalidStorageClass` for what is not of these buckets; names are case-sensitive. */
export const checkStorageClass = (name: string): string => {
  if (READABLE.includes(name)) return name
  if (ARCHIVES.includes(name)) throw unbuiltHeader(`x-amz-storage-class: ${name}`)
  throw new S3Error('InvalidStorageClass', { extra: { StorageClassRequested: name } })
}
