/** What a step of the examination found. */
export interface Finding {
  readonly what: string
  readonly state: 'ok' | 'failed' | 'note'
  readonly detail: string
}
