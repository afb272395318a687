/** docs/edge-cases.md: behaviours of S3 that are easily got wrong, by the number that names of tests begin with, and the tests that show each. */
import { readdirSync, readFileSync } from 'node:fs'

const TESTS = 'test/http'

/** Numbered through from 1. A star marks what the store behind the gateway has a hand in. */
const EDGE_CASES: Readonly<Record<string, readonly string[]>> = {
  'Signing and requests': [
    'What is private answers a request without a signature with 403, never 401.',
    'An unknown access key is told by name.',
    'A wrong secret is told with what was signed, as text and as bytes.',
    'Signature Version 2 and foreign schemes of Authorization are refused, each in its own words.',
    'The scope of a credential must fit day, region, service and ending; the right region is told.',
    'A signed request without a date is 403.',
    'Clocks may differ by 15 minutes.',
    'The hash of the payload must be there, be one, and be that of the body.',
    'Every `x-amz-*` header must be signed; others need not be.',
    'Paths are signed and read as they came: encoded once, never normalised.',
    'Queries are signed sorted by their encoded names; a plus in a value is a space.',
    'Header values are signed trimmed, collapsed and joined; Host with its port, as it was received.',
    'A presigned URL needs its six parameters, each well formed, and ends when it says.',
    'A presigned URL covers no payload, and no `x-amz-*` header that it did not sign.',
    'A header and a query that both sign are one too many.',
    '`response-*` parameters replace headers of a success, for signed requests alone.',
    'The bucket may be part of the host or of the path, both at the same time; an unknown host is no bucket.',
    'A path that is no UTF-8 is `InvalidURI`.',
    'A key has at most 1,024 bytes of UTF-8.',
    'Control characters are legal in keys, in listings and in lists of deletions.',
    'The request id of an error is that of its header; the host id is there too.',
    'The wrong method on a sub-resource is 405; unknown parameters with a value are ignored.',
    '`100 Continue` comes after the checks that need no body, or not at all.',
    'An unknown expectation is tolerated.',
    'A PUT has a length or is chunked; a length that is empty or negative is 400.',
    'A body shorter than its length leaves nothing behind.',
    'An upload that falls silent is `RequestTimeout`.',
    'Too many header bytes and too large documents are refused.',
  ],
  'Upload integrity': [
    'Content-MD5 is well formed and right, or told with both values.',
    'Signed chunks are chained by their signatures.',
    'Chunks but the last have at least 8,192 bytes.',
    'Trailers come signed behind signed chunks, unsigned behind unsigned ones.',
    'A trailer is the announced one, well formed, and right.',
    'The sizes of the chunks add up to the decoded length, which is the size of the object.',
    '`aws-chunked` is taken out of Content-Encoding wherever it stands.',
    'One checksum at most, of a known algorithm, with a value if it is announced.',
    'Without a checksum CRC64NVME is kept; it is told where it is asked for, and not of ranges.',
    'Which algorithm can be COMPOSITE, FULL_OBJECT or both, and what is the default.',
    'A composite checksum is that of the checksums of all parts; a wrong one is `BadDigest`.',
    'No checksum of the plaintext reaches a store.',
  ],
  'GET and HEAD': [
    '* A range is 206 with its place; behind the end it is 416 with the size of the plaintext.',
    '* Suffixes: of nothing 416, longer than the object the whole of it.',
    '* Malformed, reversed and multiple ranges are ignored.',
    '* No range of an empty object exists; HEAD answers as GET does.',
    '* A part by its number is 206 with the number of parts; beside a range it is refused.',
    '* Conditions count in the order of RFC 9110; a 412 names the one that failed.',
    '* A 304 has validators and no body; a 412 has a document on GET alone.',
    '* ETags need no quotes, `*` is any, and dates that are none are ignored.',
    '* An error of HEAD has no body.',
    'A missing key is 404 for those who may list it, 403 for others.',
    '* A key whose newest version is a delete marker is 404 and says so; the marker itself is 405.',
    '* A version id that cannot be one is 400, one that is not there 404; `null` is a version.',
    '* Dates have whole seconds, and are compared so.',
    '* SSE-C: a missing, wrong or needless key is refused, of HEAD too.',
    '* GetObjectAttributes tells what is asked for, ETags without quotes, parts where there are any.',
  ],
  'PUT, copy, delete': [
    '* An object may be empty.',
    '* A key that ends in a slash is an object like any other.',
    '* The default content type is `binary/octet-stream`.',
    '* User metadata: 2 KB, lower-case names, joined duplicates, encoded words, unprintable values counted.',
    '* A PUT knows If-None-Match `*` and If-Match; of writes at the same moment one wins.',
    '* A missing key is deleted already; If-Match holds for deletions; markers are told.',
    '* Deletions of up to 1,000 keys with a digest, each told or, quietly, only its error.',
    '* A copy onto itself must change something.',
    '* The source of a copy is decoded once, may name a version, and what is wrong with it is said.',
    '* A long copy or Complete is kept alive, and may tell its error inside the 200; so may those of the store.',
    '* A copy source has at most 5 GiB; every condition on it that fails is 412.',
    '* The range of a copied part is whole and within its source.',
    '* A copy takes contents, metadata and tags along, not lock, class or redirect; REPLACE takes all from the request.',
    '* Tags: 10 of an object, 50 of a bucket, lengths, no duplicates; a bucket without is `NoSuchTagSet`.',
    'A copy source where nothing is copied is refused.',
    'An ACL is a known one, in one spelling, and where the bucket has ACLs.',
  ],
  Multipart: [
    '* Complete refuses small parts but the last, unknown and unordered ones, and lists that are none.',
    '* ETags of parts come quoted, bare or escaped.',
    '* The ETag is that of the listed parts; others are discarded.',
    '* Parts are 1 to 10,000; of two attempts the one that finished last counts.',
    '* A repeated Complete is answered alike; an aborted or unknown upload is 404.',
    '* `x-amz-mp-object-size` is that of the plaintext.',
    '* Without parts nothing is completed; one empty part is enough.',
    '* ListParts comes in pages of up to 1,000.',
    '* Uploads are listed by key and start, with markers, prefix and delimiter.',
    '* Metadata, tags, class, lock and encryption are those of the creation; conditions those of the Complete.',
    '* Uploads in progress are in no listing, and keep no bucket from being deleted.',
  ],
  Listing: [
    '* Names are in the order of their UTF-8 bytes.',
    '* `max-keys` is 0 to 1,000, more is capped, and what is no number is refused.',
    '* A common prefix counts as one key.',
    '* Version 1 tells the next marker with a delimiter alone; a marker need not exist.',
    '* A continuation token goes before `start-after`; one that is none is refused.',
    '* What goes on inside a common prefix goes on behind it.',
    '* `encoding-type=url` encodes names and markers, not tokens.',
    '* A delimiter is any string; an empty one is none.',
    '* Owners are told in version 1, in version 2 where they are asked for.',
    '* Versions come newest first, markers in their own element, by two markers.',
    '* A missing bucket is said before anything but the signature.',
    '* Buckets are listed in pages, by prefix.',
  ],
  'Buckets and sub-resources': [
    '* A bucket of one’s own is made again in us-east-1, and refused elsewhere.',
    'us-east-1 is no location constraint, neither told nor taken.',
    'A name of a bucket is one that DNS has and S3 does not reserve.',
    '* A bucket with keys, versions or markers is not empty.',
    'What was never configured is a 404 of its own or an empty document; a DELETE is 204.',
    '* Object Lock: its configuration, who may shorten or delete, and that a key can be deleted all the same.',
    '* Retention and legal hold of what has none.',
    'CORS is judged here: preflights without a signature, headers on every answer.',
    'Lifecycle rules are checked one by one. Nothing expires on the embedded store, and no header promises it.',
    'Bucket policies are not implemented; a public ACL is refused where the bucket blocks it.',
    '* Server-side encryption is of three kinds, with a key where it fits, and no matter of reads.',
  ],
  'Forms, website, the rest': [
    'POST forms: what the policy covers, what is stored, and how it is answered.',
    'A POST that is no form is 412, one without a boundary 400.',
    'There is no website endpoint; a redirect is kept and told.',
    'There is no archive: its classes and RestoreObject are not implemented.',
    'Select is not implemented.',
    'An overload is 503, a fault of the store never data: the connection ends before what could not be verified.',
    'The expected owner of a bucket is compared, of a copy source too.',
    'After an early refusal the connection is in step, or closed.',
    '* Objects in gzip are handed on as they are.',
  ],
}

interface EdgeTest {
  /** Below `test/http`, without its ending. */
  readonly file: string
  readonly name: string
  /** Its gateway is over the store under test (test/helpers/worlds.ts). */
  readonly overStores: boolean
}

/** What differs, or means nothing, over stores of a kind. */
interface Difference {
  readonly kind: string
  readonly why: string
}

export interface EdgeTests {
  /** By number: the protocol tests, groups of them and rows of their tables whose names begin with numbers and have this one. */
  readonly tests: ReadonlyMap<number, readonly EdgeTest[]>
  /** By number, or 0 for what is told in a test without one. */
  readonly differences: ReadonlyMap<number, readonly Difference[]>
}

const KINDS: Readonly<Record<string, string>> = { s3: 'S3 stores', minio: 'MinIO' }
const numbersOf = (name: string): number[] =>
  /^B\d+[ ,]/.test(name) ? [...name.matchAll(/\bB(\d+)\b/g)].map(([, number]) => Number(number)) : []

/** A name of a test, any other literal that begins with a number, or what differs in the test that was named last. */
const TOKENS =
  /(?:\btest\(|\)\()\s*(['"`])(?<title>.*?)\1|(['"`])(?<row>B\d+[ ,].*?)\3|\b(?:notOver|differs)\(\s*'(?<kind>\w+)',\s*'(?<why>.*?)'/g

/** All that the protocol tests tell of edge cases. */
export function readEdgeTests(): EdgeTests {
  const tests = new Map<number, EdgeTest[]>()
  const differences = new Map<number, Difference[]>()
  const add = <Value>(map: Map<number, Value[]>, number: number, value: Value): void =>
    void map.set(number, [...(map.get(number) ?? []), value])
  for (const path of readdirSync(TESTS).filter((name) => name.endsWith('.test.ts'))) {
    const file = path.replace('.test.ts', '')
    const text = readFileSync(`${TESTS}/${path}`, 'utf8')
    const overStores = /\b(startTested|worldsOf|STORES)\b/.test(text)
    let last: number[] = []
    for (const { groups = {} } of text.matchAll(TOKENS)) {
      const { title, row, kind, why } = groups
      if (kind !== undefined && why !== undefined) {
        for (const number of last.length === 0 ? [0] : last) add(differences, number, { kind, why })
        continue
      }
      const name = title ?? row ?? ''
      const numbers = numbersOf(name)
      if (title !== undefined) last = numbers
      for (const number of numbers) add(tests, number, { file, name, overStores })
    }
  }
  return { tests, differences }
}

/** The behaviours in their order: the first is number 1. */
export const edgeCases = (): readonly string[] => Object.values(EDGE_CASES).flat()

/** The numbers of what the store behind the gateway has a hand in. */
export const decidedByStores = (): number[] =>
  edgeCases().flatMap((behaviour, index) => (behaviour.startsWith('* ') ? [index + 1] : []))

const unique = (words: readonly string[]): string[] => [...new Set(words)]

function testsCell(tests: readonly EdgeTest[]): string {
  const bare = (name: string): string => name.replaceAll(/\bB\d+,? /g, '').replaceAll('|', '\\|')
  return unique(tests.map(({ file }) => file))
    .map((one) => {
      const names = unique(tests.filter(({ file }) => file === one).map(({ name }) => bare(name)))
      return `\`${one}\`: ${names.join('; ')}`
    })
    .join('<br>')
}

const told = (all: readonly Difference[]): string[] =>
  unique(all.map(({ kind }) => kind)).map((kind) => {
    const reasons = unique(all.filter((one) => one.kind === kind).map(({ why }) => why))
    return `${KINDS[kind] ?? kind}: ${reasons.join('; ')}`
  })

function storesCell(tests: readonly EdgeTest[], differences: readonly Difference[]): string {
  if (!tests.some(({ overStores }) => overStores)) return ''
  return differences.length === 0 ? 'alike' : told(differences).join('<br>')
}

/** The Markdown of docs/edge-cases.md. */
export function renderEdgeCases(): string {
  const { tests, differences } = readEdgeTests()
  const lines = [
    '# Edge cases',
    '',
    'This file is made by `npm run docs` from `scripts/docs/edge-cases.ts` and the names of tests; do not edit it by hand.',
    '',
    `Behaviours of S3 that are easily got wrong. Protocol tests in \`${TESTS}\` begin their names with the numbers of those that they show,`,
    'and no number is without one. What is not built has a test of how it is refused.',
    '',
    'What a store has a hand in is tested over the embedded store by `npm test`, and over a store that speaks S3 by',
    '`npm run certify -- --store minio --client protocol`: the same tests. The last column tells what comes out otherwise there, and why.',
    '',
  ]
  let number = 0
  for (const [section, behaviours] of Object.entries(EDGE_CASES)) {
    lines.push(`## ${section}`, '', '| number | behaviour | tests | over S3 stores |', '|---|---|---|---|')
    for (const behaviour of behaviours) {
      number += 1
      const mine = tests.get(number) ?? []
      const stores = storesCell(mine, differences.get(number) ?? [])
      lines.push(`| B${number} | ${behaviour.replace('* ', '')} | ${testsCell(mine)} | ${stores} |`)
    }
    lines.push('')
  }
  lines.push('Of tests without a number:', '', ...told(differences.get(0) ?? []).map((line) => `* ${line}`))
  return `${lines.join('\n')}\n`
}
