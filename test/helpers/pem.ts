/** Certificates and keys among the fixtures. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type Folder = 'tls' | 'admin-tls'

/** The path of the file. */
export const pemFile = (name: string, folder: Folder = 'tls'): string =>
  fileURLToPath(new URL(`../fixtures/${folder}/${name}.pem`, import.meta.url))

export const pem = (name: string, folder?: Folder): string => readFileSync(pemFile(name, folder), 'utf8')
