/** What goes wrong between us and a KMIP server, before anybody has said what it means to the caller. */

/** What is wrong and no result of the server. */
export type Reason =
  /** Nobody is there, or the connection broke; `detail` is a code such as ECONNREFUSED. */
  | 'lost'
  | 'silent'
  | 'busy'
  | 'closed'
  | 'garbage'
  /** A message that KMIP allows, and that answers something else. */
  | 'wrong answer'
  | 'version'
  /** `detail` names those that the server lacks. */
  | 'operations'
  | 'no key'
  | 'two keys'
  | 'kind'
  | 'usage'
  /** `detail` is the state. */
  | 'state'
  | 'no associated data'
  | 'unbound'
  | 'wrapping key'
  | 'broken'

export type Fault =
  /** `key` is the setting that names the key which it is about. */
  | { readonly reason: Reason; readonly detail?: string; readonly key?: string }
  /** An operation and the result reason that the server gave. */
  | { readonly operation: string; readonly code: number; readonly key?: string }

/** A fault on its way. */
export class KmipFault extends Error {
  override readonly name = 'KmipFault'
  readonly fault: Fault

  constructor(fault: Fault) {
    super('reason' in fault ? fault.reason : fault.operation)
    this.fault = fault
  }

  /** Whether it is this reason, or one of these. */
  is(...reasons: readonly Reason[]): boolean {
    return 'reason' in this.fault && reasons.includes(this.fault.reason)
  }

  /** Whether the server gave this result reason, or one of these. */
  returned(...codes: readonly number[]): boolean {
    return 'code' in this.fault && codes.includes(this.fault.code)
  }

  /** The same about the key of this setting, unless it is about another one. */
  about(key: string): KmipFault {
    return new KmipFault({ key, ...this.fault })
  }
}
