import { Internal } from '../errors.ts'
import { redirectTo } from '../s3/post-form.ts'
import { renderPostObject } from '../s3/result-xml.ts'
import type { Operation } from './gateway.ts'
import { putObject } from './put-object.ts'

/** PostObject: a PutObject of unknown length, answered in the way that the form asks for (B106). */
export const postObject: Operation = async (gateway, request) => {
  const { bucket, key, form, urlOf } = request
  if (form === undefined) throw new Internal('PostObject was run without its form')
  const { headers = {} } = await putObject(gateway, request)
  const etag = headers['etag'] ?? ''
  const location = form.redirect === undefined ? urlOf(key) : redirectTo(form.redirect, { bucket, key, etag })
  const status = form.redirect === undefined ? form.status : 303
  const body = status === 201 ? { body: renderPostObject({ location, bucket, key, etag }) } : {}
  return { status, headers: { ...headers, location }, ...body }
}
