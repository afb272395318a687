/** The query string of a request, decoded once, in order. `+` means a space, as in HTML forms and in S3. */
export class Query {
  /** Decoded names and values in order; a valueless name has the value ''. */
  readonly entries: readonly (readonly [string, string])[]
  /** What stood behind the `?`, undecoded. */
  readonly raw: string

  /** Throws `URIError` on a malformed escape or invalid UTF-8. */
  constructor(raw: string) {
    this.raw = raw
    this.entries = raw
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const at = pair.indexOf('=')
        return at < 0
          ? ([decode(pair), ''] as const)
          : ([decode(pair.slice(0, at)), decode(pair.slice(at + 1))] as const)
      })
  }

  /** The first value of a name, or `undefined`. */
  get(name: string): string | undefined {
    return this.entries.find(([n]) => n === name)?.[1]
  }

  has(name: string): boolean {
    return this.entries.some(([n]) => n === name)
  }
}

const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
