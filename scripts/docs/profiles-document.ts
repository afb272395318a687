/** docs/profiles.md: the table of profiles. */
import { type Profile, PROFILES } from '../../src/backends/s3/profiles.ts'
import { forwardable, SUBRESOURCES } from '../../src/backends/s3/subresources.ts'

const COLUMNS: readonly (readonly [keyof Profile, string])[] = [
  ['conditionalPut', 'conditional PUT'],
  ['conditionalComplete', 'conditional Complete'],
  ['conditionalCopy', 'conditional copy'],
  ['conditionalDelete', 'conditional DELETE'],
  ['copySourceIfMatch', 'copy-source-if-match'],
  ['partCopy', 'UploadPartCopy'],
  ['slashKeys', 'names with final `/`'],
  ['versions', 'versions'],
  ['tags', 'tags'],
  ['objectLock', 'Object Lock'],
]

const CHECKSUMS: Readonly<Record<Profile['checksum'], string>> = {
  crc32: 'CRC32, header or trailer',
  sha256: 'signed SHA-256, not of streams',
}

function subresourcesOf(profile: Profile): string {
  const names = forwardable(profile)
  if (names.size === 0) return 'none'
  if (names.size === SUBRESOURCES.length) return 'all that S3 has'
  const of = (resource: string): string[] =>
    [...names].filter((name) => name.startsWith(resource)).map((name) => `\`${name.slice(resource.length)}\``)
  const [buckets, objects] = [of('bucket?'), of('object?')]
  return [['of buckets', buckets] as const, ['of objects', objects] as const]
    .filter(([, list]) => list.length > 0)
    .map(([what, list]) => `${what}: ${list.join(', ')}`)
    .join('; ')
}

/** The Markdown of docs/profiles.md. */
export function renderProfiles(): string {
  const all: [string, Profile][] = Object.entries(PROFILES)
  const head = `| ${['`backend.profile`', 'provider', 'tried', ...COLUMNS.map(([, title]) => title), 'checksum of ciphertext', 'metadata'].join(' | ')} |`
  const rule = `|${'---|'.repeat(COLUMNS.length + 5)}`
  const rows = all.map(([name, profile]) => {
    const cells = COLUMNS.map(([field]) => (profile[field] === true ? 'yes' : 'no'))
    const tried = profile.known ? (profile.tried ?? 'declared, not tried') : 'at first contact'
    return `| ${[`\`${name}\``, profile.label, tried, ...cells, CHECKSUMS[profile.checksum], `${profile.metadataLimit} B`].join(' | ')} |`
  })
  const handedOn = all.map(([name, profile]) => `| \`${name}\` | ${subresourcesOf(profile)} |`)
  const notes = all.flatMap(([name, { note }]) => (note === undefined ? [] : [`* \`${name}\`: ${note}`]))
  return `# Profiles

<!-- Made from src/backends/s3/profiles.ts: \`npm run docs\` writes it anew. -->

What a provider can do, as declared. The first contact and \`sealgate doctor\` try the first five, the names with a final slash, versions and sub-resources;
what a trial refutes is not relied on, and a declared no stays one. What follows from each no: [operations.md](operations.md), "A remote store".

${[head, rule, ...rows].join('\n')}

${notes.join('\n')}

## Sub-resources

Only these are handed on; a request on another one is answered 501 \`NotImplemented\`, since a store that does not know a sub-resource
takes the request for one on the bucket or the object itself: it stores the document as the object, or deletes the bucket. The first contact tries
each with an object and a bucket of its own. Of \`generic\` only what it confirms is handed on.

| profile | sub-resources |
|---|---|
${handedOn.join('\n')}
`
}
