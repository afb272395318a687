/** Names in listings under `encoding-type=url` (B89). */

const UNRESERVED = /^[\w.~/-]*$/

/** Percent-encodes the UTF-8 bytes of a name; `/` stays, a space is `%20`, `+` is `%2B`. */
export const encodeListName = (name: string): string =>
  UNRESERVED.test(name)
    ? name
    : encodeURIComponent(name)
        .replaceAll('%2F', '/')
        .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** What a listing does with each name: encode it or leave it. */
export const listNames = (encode: boolean): ((name: string) => string) => (encode ? encodeListName : (name) => name)
