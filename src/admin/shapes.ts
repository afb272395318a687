/** What several schemas of the admin API are made of. */
import { z } from 'zod'

export const alias = z.string().regex(/^[a-z0-9-]{1,15}$/, 'write the alias of a key manager')
export const count = z.int().min(0)
export const time = z.iso.datetime()
