// The table of a document, and what is made of one that fits: one spelling, whatever order and white space it came in.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { acceptLifecycle } from '../../src/s3/configuration/lifecycle.ts'
import { acceptNotification } from '../../src/s3/configuration/notification.ts'
import {
  acceptObjectLock,
  type DefaultRetention,
  renderObjectLock,
  retainedUntil,
} from '../../src/s3/configuration/object-lock.ts'
import { acceptReplication } from '../../src/s3/configuration/replication.ts'
import {
  admitRoot,
  anyText,
  boolean,
  group,
  integer,
  many,
  oneOf,
  optional,
  renderAdmitted,
  required,
} from '../../src/s3/configuration/schema.ts'
import { decodeGrants, encodeGrants, type Grant, parseAclDocument, renderAcl } from '../../src/s3/acl.ts'
import {
  checkRetentionChange,
  parseRetention,
  renderRetention,
  type Retention,
  retentionOf,
  withRetention,
} from '../../src/s3/object-lock.ts'
import { parseTagging, parseTaggingHeader, renderTagging, renderTaggingHeader } from '../../src/s3/tags.ts'
import { parseXml } from '../../src/s3/xml.ts'
import { codeOf } from './requests.ts'

const parsed = (text: string) => parseXml(Buffer.from(text), 1_000_000)

describe('the table of a document', () => {
  const shape = group({
    Word: required(oneOf('Yes', 'No')),
    Number: optional(integer),
    Flag: optional(boolean),
    Item: many(group({ Text: required(anyText) }), 0, 3),
  })
  const admitted = (inner: string) => renderAdmitted(admitRoot(parsed(`<Root>${inner}</Root>`), 'Root', shape))

  test('gives what fits in its own order', () => {
    const once = admitted('<Item><Text> a </Text></Item><Flag>TRUE</Flag>\n<Number> +07</Number><Word>Yes </Word>')
    expect(once).toContain('<Word>Yes</Word><Number>7</Number><Flag>true</Flag><Item><Text> a </Text></Item>')
    expect(renderAdmitted(admitRoot(parsed(once), 'Root', shape))).toBe(once)
  })

  test.each([
    ['', 'what is missing'],
    ['<Word>yes</Word>', 'another word'],
    ['<Word>Yes</Word><Word>Yes</Word>', 'one too many'],
    ['<Word>Yes</Word><Number>1.5</Number>', 'a broken number'],
    ['<Word>Yes</Word><Number>2147483648</Number>', 'a number of 33 bits'],
    ['<Word>Yes</Word><Flag>1</Flag>', 'a number for a flag'],
    ['<Word>Yes</Word><constructor/>', 'a name that objects have'],
    ['<Word>Yes</Word>text', 'text between elements'],
    ['<Word><Word>Yes</Word></Word>', 'an element in the place of text'],
    [`<Word>Yes</Word>${'<Item><Text/></Item>'.repeat(4)}`, 'four items'],
  ])('%s is MalformedXML: %s', (inner) => {
    expect(codeOf(() => admitted(inner))).toBe('MalformedXML')
  })
})

const text = fc.stringMatching(/^[\p{L}\p{N} _.:/=+\-@]{1,40}$/u)
const tag = fc.record({ key: text.filter((key) => !/^aws:/i.test(key)), value: text })
const tags = fc.uniqueArray(tag, { selector: ({ key }) => key, maxLength: 10 })

test('B69 tags survive as a document and as a header', () => {
  fc.assert(
    fc.property(tags, (given) => {
      expect(parseTagging(Buffer.from(renderTagging(given)), 1_000_000)).toEqual(given)
      expect(parseTaggingHeader(renderTaggingHeader(given))).toEqual(given)
    }),
  )
})

test('B69 any header is either tags or refused with an error of S3', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-c%=&+0-9]{0,30}$/)), (header) => {
      let found
      try {
        found = parseTaggingHeader(header)
      } catch (error) {
        expect(['InvalidArgument', 'InvalidTag', 'BadRequest']).toContain((error as { code?: string }).code)
        return
      }
      expect(parseTaggingHeader(renderTaggingHeader(found))).toEqual(found)
    }),
  )
})

const OWNER = { id: 'ab'.repeat(32), displayName: 'owner' }
const GROUPS = ['global/AllUsers', 'global/AuthenticatedUsers', 's3/LogDelivery']
const grant: fc.Arbitrary<Grant> = fc.record({
  permission: fc.constantFrom('FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'),
  grantee: fc.oneof(
    fc.constant({ id: OWNER.id }),
    fc.constantFrom(...GROUPS).map((name) => ({ uri: `http://acs.amazonaws.com/groups/${name}` })),
  ),
})

test('B71 grants survive as a document and as what is kept', () => {
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 100 }), (grants) => {
      expect(parseAclDocument(Buffer.from(renderAcl(grants, OWNER)), 1_000_000, OWNER)).toEqual(grants)
      expect(decodeGrants(encodeGrants(grants), OWNER)).toEqual(grants)
    }),
  )
})

const retention: fc.Arbitrary<DefaultRetention> = fc.oneof(
  fc.record({
    mode: fc.constantFrom('GOVERNANCE', 'COMPLIANCE'),
    days: fc.integer({ min: 1, max: 36_500 }),
  }),
  fc.record({ mode: fc.constantFrom('GOVERNANCE', 'COMPLIANCE'), years: fc.integer({ min: 1, max: 100 }) }),
)

describe('default retention (B100)', () => {
  test('survives as a document', () => {
    fc.assert(
      fc.property(fc.option(retention, { nil: undefined }), (given) => {
        expect(acceptObjectLock(parsed(renderObjectLock(given)))).toEqual(given)
      }),
    )
  })

  test('counts days of 24 hours, and years of the calendar', () => {
    const now = Date.parse('2024-02-29T12:00:00.500Z')
    expect(retainedUntil({ mode: 'GOVERNANCE', days: 1 }, now).toISOString()).toBe('2024-03-01T12:00:00.500Z')
    expect(retainedUntil({ mode: 'GOVERNANCE', years: 4 }, now).toISOString()).toBe('2028-02-29T12:00:00.500Z')
    expect(retainedUntil({ mode: 'GOVERNANCE', years: 1 }, now).toISOString()).toBe('2025-03-01T12:00:00.500Z')
  })

  test('is never in the past, and grows with its period', () => {
    fc.assert(
      fc.property(retention, fc.integer({ min: 0, max: 4e12 }), (given, now) => {
        const until = retainedUntil(given, now).getTime()
        expect(until).toBeGreaterThan(now)
        const longer =
          given.days === undefined ? { ...given, years: (given.years ?? 0) + 1 } : { ...given, days: given.days + 1 }
        expect(retainedUntil(longer, now).getTime()).toBeGreaterThan(until)
      }),
    )
  })

  test.each([
    ['<Days>1</Days><Years>1</Years>', 'MalformedXML'],
    ['', 'MalformedXML'],
    ['<Days>0</Days>', 'InvalidRetentionPeriod'],
    ['<Years>-1</Years>', 'InvalidRetentionPeriod'],
    ['<Days>36501</Days>', 'InvalidRetentionPeriod'],
    ['<Years>101</Years>', 'InvalidRetentionPeriod'],
  ])('B100 of %s is %s', (period, code) => {
    const rule = `<Rule><DefaultRetention><Mode>GOVERNANCE</Mode>${period}</DefaultRetention></Rule>`
    const document = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
    expect(codeOf(() => acceptObjectLock(parsed(document)))).toBe(code)
  })
})

describe('a retention that is changed (B100)', () => {
  const lock: fc.Arbitrary<Retention> = fc.record({
    mode: fc.constantFrom('GOVERNANCE', 'COMPLIANCE'),
    until: fc.integer({ min: 0, max: 4e12 }).map((time) => new Date(time)),
  })

  test('survives among kept attributes and as a document', () => {
    fc.assert(
      fc.property(lock, (given) => {
        expect(retentionOf(withRetention({ other: 'kept' }, given))).toEqual(given)
        expect(withRetention(withRetention({ other: 'kept' }, given), undefined)).toEqual({ other: 'kept' })
        expect(parseRetention(Buffer.from(renderRetention(given)), 1_000, given.until.getTime() - 1)).toEqual(given)
      }),
    )
  })

  test('never becomes weaker while it is in force, unless it is GOVERNANCE and passed over', () => {
    fc.assert(
      fc.property(
        lock,
        fc.option(lock, { nil: undefined }),
        fc.nat(4e12),
        fc.boolean(),
        (current, next, now, bypass) => {
          const weaker = next === undefined || next.mode !== current.mode || next.until < current.until
          const inForce = current.until.getTime() > now
          const refused = inForce && weaker && !(bypass && current.mode === 'GOVERNANCE')
          const change = (): void => checkRetentionChange(current, next, { now, bypass })
          if (refused) expect(codeOf(change)).toBe('AccessDenied')
          else expect(change).not.toThrow()
        },
      ),
    )
  })

  test('whose date cannot be read is never made weaker', () => {
    const current = retentionOf({ 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': '?' })
    expect(codeOf(() => checkRetentionChange(current, undefined, { now: 0, bypass: true }))).toBe('AccessDenied')
  })
})

describe('a kept document', () => {
  const never = (): string => {
    throw new Error('every rule has an id')
  }
  const rule = '<ID>a</ID><Filter><Prefix>x &amp; y</Prefix></Filter><Status>Enabled</Status>'
  const replica = '<Destination><Bucket>arn:aws:s3:::there</Bucket></Destination>'

  test.each([
    [
      'lifecycle',
      `<LifecycleConfiguration><Rule>${rule}<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`,
      (root: string) => acceptLifecycle(parsed(root), never),
    ],
    [
      'replication',
      `<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role><Rule>${rule}<Priority>1</Priority><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>${replica}</Rule></ReplicationConfiguration>`,
      (root: string) => acceptReplication(parsed(root), never).document,
    ],
    [
      'notification',
      '<NotificationConfiguration><QueueConfiguration><Event>s3:ObjectCreated:*</Event><Id>a</Id><Queue>arn:aws:sqs:r:1:q</Queue></QueueConfiguration></NotificationConfiguration>',
      (root: string) => acceptNotification(parsed(root), never),
    ],
  ] as const)('of %s is accepted again as it is', (_, document, accept) => {
    const kept = accept(document)
    expect(accept(kept)).toBe(kept)
  })
})

describe('replication rules', () => {
  const TO = 'arn:aws:s3:::there'
  const filtered = '<Filter><Prefix/></Filter>'
  const markers = '<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>'
  const rule = (inner: string, to = TO) =>
    `<Rule><Status>Enabled</Status>${inner}<Destination><Bucket>${to}</Bucket></Destination></Rule>`
  const accept = (rules: string, role = 'arn:aws:iam::123456789012:role/r') =>
    acceptReplication(
      parsed(`<ReplicationConfiguration><Role>${role}</Role>${rules}</ReplicationConfiguration>`),
      () => 'new',
    )

  test('of both schemas name where they go', () => {
    expect(accept(rule('<Prefix>a</Prefix>')).destinations).toEqual(['there'])
    expect(accept(rule(`${filtered}<Priority>1</Priority>${markers}`)).document).toContain('<ID>new</ID>')
  })

  test.each([
    ['no rule', '', 'MalformedXML'],
    ['a filter without priority', rule(`${filtered}${markers}`), 'InvalidRequest'],
    ['a filter without a word about delete markers', rule(`${filtered}<Priority>1</Priority>`), 'InvalidRequest'],
    ['delete markers in the older schema', rule(`<Prefix/>${markers}`), 'InvalidRequest'],
    ['one priority twice', rule(`${filtered}<Priority>1</Priority>${markers}`).repeat(2), 'InvalidRequest'],
    ['filter and prefix', rule(`<Prefix/>${filtered}<Priority>1</Priority>${markers}`), 'MalformedXML'],
    ['a place that is no bucket', rule('<Prefix/>', 'there'), 'InvalidArgument'],
    [
      'delete markers by tag',
      rule(
        '<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Priority>1</Priority><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>',
      ),
      'InvalidRequest',
    ],
  ])('%s is refused', (_, rules, code) => {
    expect(codeOf(() => accept(rules))).toBe(code)
  })

  test('a role that is no ARN is refused', () => {
    expect(codeOf(() => accept(rule('<Prefix/>'), 'role'))).toBe('InvalidArgument')
  })
})
