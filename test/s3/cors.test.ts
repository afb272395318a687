import { describe, expect, test } from 'vitest'
import { corsHeaders, type CorsRule, parseCors, parsePreflight, renderCors } from '../../src/s3/cors.ts'
import { codeOf } from './requests.ts'

const RULE = '<AllowedOrigin>https://a.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod>'
const cors = (...rules: string[]): Buffer =>
  Buffer.from(`<CORSConfiguration>${rules.map((rule) => `<CORSRule>${rule}</CORSRule>`).join('')}</CORSConfiguration>`)

describe('A CORS configuration', () => {
  test('is read with everything in it, and rendered so that it reads the same', () => {
    const rules = parseCors(
      cors(
        `<ID>one &amp; only</ID><AllowedHeader>x-*</AllowedHeader><AllowedHeader>Range</AllowedHeader>${RULE}<AllowedMethod>HEAD</AllowedMethod><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>0</MaxAgeSeconds>`,
        RULE,
      ),
    )
    expect(rules[0]).toEqual({
      id: 'one & only',
      origins: ['https://a.test'],
      methods: ['GET', 'HEAD'],
      headers: ['x-*', 'Range'],
      exposed: ['ETag'],
      maxAgeSeconds: 0,
    })
    expect(parseCors(Buffer.from(renderCors(rules)))).toEqual(rules)
  })

  test.each([
    ['no rule', cors(), 'MalformedXML'],
    ['another root', Buffer.from('<Cors/>'), 'MalformedXML'],
    ['101 rules', cors(...Array<string>(101).fill(RULE)), 'InvalidRequest'],
    ['no origin', cors('<AllowedMethod>GET</AllowedMethod>'), 'MalformedXML'],
    ['no method', cors('<AllowedOrigin>*</AllowedOrigin>'), 'MalformedXML'],
    ['an empty origin', cors(`${RULE}<AllowedOrigin/>`), 'MalformedXML'],
    ['two stars in an origin', cors(`${RULE}<AllowedOrigin>http://*.*</AllowedOrigin>`), 'InvalidRequest'],
    ['two stars in a header', cors(`${RULE}<AllowedHeader>*-*</AllowedHeader>`), 'InvalidRequest'],
    ['a star in what is exposed', cors(`${RULE}<ExposeHeader>x-*</ExposeHeader>`), 'InvalidRequest'],
    ['a line end in what is exposed', cors(`${RULE}<ExposeHeader>a&#13;&#10;b: c</ExposeHeader>`), 'InvalidRequest'],
    ['a method that is none', cors(`${RULE}<AllowedMethod>PATCH</AllowedMethod>`), 'InvalidRequest'],
    ['a method in lower case', cors(`${RULE}<AllowedMethod>get</AllowedMethod>`), 'InvalidRequest'],
    ['an age that is no number', cors(`${RULE}<MaxAgeSeconds>1h</MaxAgeSeconds>`), 'MalformedXML'],
    ['a negative age', cors(`${RULE}<MaxAgeSeconds>-1</MaxAgeSeconds>`), 'MalformedXML'],
    ['two ages', cors(`${RULE}<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>2</MaxAgeSeconds>`), 'MalformedXML'],
    ['an id of 256 characters', cors(`<ID>${'x'.repeat(256)}</ID>${RULE}`), 'InvalidArgument'],
    ['an unknown element', cors(`${RULE}<Allow/>`), 'MalformedXML'],
    ['more than 64 KiB', cors(`<ID>${'x'.repeat(70_000)}</ID>${RULE}`), 'MaxMessageLengthExceeded'],
  ])('with %s is refused', (_what, document, code) => {
    expect(codeOf(() => parseCors(document))).toBe(code)
  })

  test('may have 100 rules, and an id of 255 characters', () => {
    expect(parseCors(cors(...Array<string>(100).fill(`<ID>${'x'.repeat(255)}</ID>${RULE}`)))).toHaveLength(100)
  })
})

describe('The rules', () => {
  const rule = (more: Partial<CorsRule>): CorsRule => ({
    origins: ['*'],
    methods: ['GET'],
    headers: [],
    exposed: [],
    ...more,
  })
  const allowed = (rules: CorsRule[], origin: string, method = 'GET', headers: string[] = []): string | undefined =>
    corsHeaders(rules, { origin, method, headers })?.['access-control-allow-origin']

  test.each([
    ['https://a.test', 'https://a.test', true],
    ['https://a.test', 'https://A.test', false],
    ['https://a.test', 'https://a.test.evil.test', false],
    ['https://*.a.test', 'https://x.y.a.test', true],
    ['https://*.a.test', 'https://a.test', false],
    ['https://*', 'http://a.test', false],
    ['*suffix', 'suffix', true],
    ['prefix*fix', 'prefix', false],
  ])('%s and %s', (pattern, origin, fits) => {
    expect(allowed([rule({ origins: [pattern] })], origin)).toBe(fits ? origin : undefined)
  })

  test('of all that fit the first answers', () => {
    const rules = [
      rule({ origins: ['http://a'], methods: ['PUT'] }),
      rule({ exposed: ['first'] }),
      rule({ exposed: ['second'] }),
    ]
    expect(corsHeaders(rules, { origin: 'http://a', method: 'GET' })).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'first',
    })
  })

  test('allow headers in any case, each of them', () => {
    const rules = [rule({ headers: ['X-Amz-*', 'content-type'] })]
    expect(allowed(rules, 'o', 'GET', ['x-amz-date', 'Content-Type'])).toBe('*')
    expect(allowed(rules, 'o', 'GET', ['x-amz-date', 'authorization'])).toBeUndefined()
  })
})

describe('A preflight', () => {
  const of = (headers: Record<string, string>) => parsePreflight((name) => headers[name])
  test('names origin, method and headers', () => {
    expect(
      of({ origin: 'o', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'a, b ,,c' }),
    ).toEqual({ origin: 'o', method: 'PUT', headers: ['a', 'b', 'c'] })
  })
  test.each([
    {},
    { origin: 'o' },
    { 'access-control-request-method': 'GET' },
    { origin: 'o', 'access-control-request-method': 'PATCH' },
  ])('%j is BadRequest', (headers) => expect(codeOf(() => of(headers as Record<string, string>))).toBe('BadRequest'))
})
