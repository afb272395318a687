/** The way in by a form: the fields come before the file and say who made the form and what it may store. */
import type { Body } from '../backends/body.ts'
import { MAX_PUT_BYTES } from '../gateway/put-object.ts'
import { tooLarge } from '../gateway/put-response.ts'
import { isAnonymous } from '../s3/auth/anonymous.ts'
import { authenticateForm, type SizeRange } from '../s3/auth/post-policy.ts'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import { formBoundary, FormParser } from '../s3/form-data.ts'
import { OPERATIONS } from '../s3/operation.ts'
import { formFields, readPostForm } from '../s3/post-form.ts'
import { screenRequest } from '../s3/screen.ts'
import { screenCustomerKeys } from './customer-keys.ts'
import { type Arriving, authContext, type Entered, type EntranceParts, keyRules, screenOptions } from './entrance.ts'
import { requireLength } from './request-body.ts'

type Pieces = AsyncIterator<readonly Buffer[]>

/**
 * Reads the fields of a form, authenticates and authorises whoever made it, and screens what it asks for; the body of what
 * it returns is the file. Only the fields are held in memory. Throws the `S3Error` to answer.
 */
export async function enterByForm(parts: EntranceParts, arriving: Arriving): Promise<Entered> {
  const { target, wire, headers } = arriving
  const parser = new FormParser(formBoundary(wire.get('content-type')))
  if (!isAnonymous(wire, target.query)) throw twoMechanisms()
  // What stands in headers is signed by nobody.
  if ([...headers.names()].some((name) => name.startsWith('x-amz-meta-'))) throw new S3Error('AccessDenied')
  screenRequest('PostObject', headers, target.query, screenOptions(parts))
  requireLength('object', wire)
  const whole = arriving.open({ kind: 'unsigned' })
  const source = whole.stream[Symbol.asyncIterator]()
  const release = (): void => void source.return?.()
  try {
    const first = await readFields(parser, source)
    const { size, ...entered } = admitForm(parts, arriving, parser)
    const stream = fileOf(parser, source, first, size)
    return { ...entered, body: { length: undefined, atMost: whole.length, stream, trailers: () => ({}) }, release }
  } catch (error) {
    release()
    throw error
  }
}

function admitForm(
  parts: EntranceParts,
  arriving: Arriving,
  parser: FormParser,
): Omit<Entered, 'body'> & { readonly size: SizeRange } {
  const { target, trace } = arriving
  const fields = formFields(parser.fields, parser.filename ?? '')
  const { key, headers, reply } = readPostForm(fields)
  trace.key = key
  const signed = authenticateForm(fields, target.bucket ?? '', authContext(parts))
  if (signed !== undefined) {
    trace.accessKey = signed.accessKey
    trace.auth = 'PostPolicy'
  }
  const { authoriser } = parts
  const may = signed === undefined ? authoriser.anonymous : authoriser.of(signed.accessKey)
  may.operation('PostObject', OPERATIONS.PostObject, { ...target, key }, headers)
  screenCustomerKeys(headers, keyRules(parts, arriving, true))
  screenRequest('PutObject', headers, target.query, screenOptions(parts))
  return { may, key, headers, form: reply, size: signed?.size ?? { least: 0, most: MAX_PUT_BYTES } }
}

/** Reads up to the file; returns what of it has come already. */
async function readFields(parser: FormParser, source: Pieces): Promise<Buffer[]> {
  for (;;) {
    const step = await source.next()
    if (step.done === true) throw new S3Error('MalformedPOSTRequest')
    const file = step.value.flatMap((piece) => parser.push(piece))
    if (parser.filename !== undefined) return file
  }
}

/** The contents of the file. Fails before its end if they are too large, and at it if they are too small. */
async function* fileOf(parser: FormParser, source: Pieces, first: Buffer[], size: SizeRange): Body {
  const most = Math.min(size.most, MAX_PUT_BYTES)
  let bytes = 0
  let pieces = first
  try {
    for (;;) {
      for (const piece of pieces) bytes += piece.length
      if (bytes > most) throw tooLarge(bytes, most)
      if (pieces.length > 0) yield pieces
      const step = await source.next()
      if (step.done === true) break
      pieces = step.value.flatMap((piece) => parser.push(piece))
    }
    parser.end()
    if (bytes < size.least) throw tooSmall(bytes, size.least)
  } finally {
    void source.return?.()
  }
}

const tooSmall = (proposed: number, least: number): S3Error =>
  new S3Error('EntityTooSmall', { extra: { ProposedSize: String(proposed), MinSizeAllowed: String(least) } })

const twoMechanisms = (): S3Error =>
  invalidArgument('Only one auth mechanism allowed; a form is authenticated by its fields alone', 'Authorization', '')
