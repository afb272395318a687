/** Every operation of the admin API. */
import { KEY_ROUTES } from './keys.ts'
import { PROFILE_ROUTES } from './profiles.ts'
import { ROTATION_ROUTES } from './rotations.ts'
import type { Route } from './route.ts'
import { UPLOAD_ROUTES } from './uploads.ts'

export const ADMIN_ROUTES: readonly Route[] = [...KEY_ROUTES, ...ROTATION_ROUTES, ...UPLOAD_ROUTES, ...PROFILE_ROUTES]
