/** docs/profiles.md: the table of profiles. */
import { type Profile, PROFILES } from '../../src/backends/s3/profiles.ts'

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
  const notes = all.flatMap(([name, { note }]) => (note === undefined ? [] : [`* \`${name}\`: ${note}`]))
  return `# Profiles

<!-- Made from src/backends/s3/profiles.ts: \`npm run docs\` writes it anew. -->

What a provider can do, as declared. The first contact and \`sealgate doctor\` try the first five and the names with a final slash; what a trial
refutes is not relied on, and a declared no stays one. What follows from each no: [operations.md](operations.md), "A remote store".

${[head, rule, ...rows].join('\n')}

${notes.join('\n')}
`
}
