/** The shape of a row of the operation table. */
import type { OperationName } from './operation-name.ts'

/**
 * What the gateway does with an operation. `sealed`: translates, because contents, sizes or names are not what the backend
 * sees. `own`: decides itself. `forwarded`: hands on to a backend that speaks S3, unchanged. `refused`: never.
 */
export type OperationClass = 'sealed' | 'own' | 'forwarded' | 'refused'

export type Resource = 'service' | 'bucket' | 'object'

/**
 * What the authoriser must grant on bucket and key (or prefix): `read` and `list` need read access, `write` read-write, `admin`
 * is configuration. `none` is the preflight, which carries no identity.
 */
export type Access = 'read' | 'write' | 'list' | 'admin' | 'none'

/** Chooses between operations of one method and path: this one if the parameter or header is there. */
export type Selector = { readonly query: string } | { readonly header: string }

export interface OperationRow {
  readonly class: OperationClass
  /** There is a function for it; for `forwarded` it serves the stores that do not speak S3. Everything else is answered `NotImplemented`. */
  readonly built: boolean
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS'
  readonly resource: Resource
  readonly access: Access
  /** On success. GetObject also answers 206. */
  readonly status: number
  /** The query parameter that makes it this operation. */
  readonly subresource?: string
  readonly selector?: Selector
  /** The authoriser must also grant `read` on `x-amz-copy-source`. */
  readonly copySource?: true
  /** `document`: a small XML document, gathered before the operation runs. */
  readonly body: 'none' | 'object' | 'document'
  /** Query parameters it knows. Others are ignored, as S3 does, unless they look like sub-resources. */
  readonly query: readonly string[]
  /** Headers it accepts that not every operation does; a trailing `*` stands for any ending. */
  readonly headers: readonly string[]
  /** How it is handled, or why it is not, in words for docs/s3-compatibility.md. */
  readonly reason: string
}

export type OperationRows<Names extends OperationName = OperationName> = Readonly<Record<Names, OperationRow>>
