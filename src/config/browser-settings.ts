/** What browsers and other clients without credentials may do: cross-origin rules, public buckets, public addresses. */
import { z } from 'zod'
import { quantity } from './shapes.ts'
import { DURATION_PATTERN, parseDuration } from './units.ts'

const ORIGIN = /^[\x21-\x7e]{1,255}$/
const HEADER = /^[!#$%&'+.^_`|~\dA-Za-z-]+$/
const HEADER_PATTERN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/

const oneStar = (text: string): boolean => text.indexOf('*') === text.lastIndexOf('*')

const corsRule = z
  .strictObject({
    origins: z
      .array(
        z
          .string()
          .regex(ORIGIN, 'write an origin as browsers do, for example https://app.example.com')
          .refine(oneStar, 'one * at most'),
      )
      .min(1, 'name at least one origin, or "*"')
      .describe('Origins that may ask, for example `https://app.example.com`; one `*` stands for any characters.'),
    methods: z
      .array(z.enum(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'], 'write GET, PUT, POST, DELETE or HEAD'))
      .min(1, 'name at least one method')
      .describe('Methods that scripts may use: `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.'),
    headers: z
      .array(z.string().regex(HEADER_PATTERN, 'write the name of a header').refine(oneStar, 'one * at most'))
      .default([])
      .describe('Request headers that scripts may set; one `*` stands for any characters.'),
    exposed: z
      .array(z.string().regex(HEADER, 'write the name of a header, without *'))
      .default([])
      .describe('Response headers that scripts may read, for example `ETag`.'),
    maxAge: quantity(DURATION_PATTERN, parseDuration, { least: '0s', most: '30d', example: '1h' })
      .optional()
      .describe('How long browsers may remember that a request is allowed.'),
  })
  .transform(({ maxAge, ...rule }) => ({
    ...rule,
    maxAgeSeconds: maxAge === undefined ? undefined : Math.floor(maxAge / 1_000),
  }))

/** At most as many as S3 takes for a bucket. */
const MAX_CORS_RULES = 100

export const corsRules = z.array(corsRule).max(MAX_CORS_RULES, `write at most ${MAX_CORS_RULES} rules`)

/** Where clients reach the gateway: scheme, host and port, nothing else. */
export const publicUrls = z
  .array(
    z.string().transform((text, context) => {
      const url = URL.canParse(text) ? new URL(text) : undefined
      const bare = url !== undefined && url.pathname === '/' && url.search === '' && url.hash === ''
      if (bare && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url.origin
      context.addIssue({ code: 'custom', message: 'write scheme, host and port, for example https://s3.example.com' })
      return z.NEVER
    }),
  )
  .default([])
  .describe(
    'Addresses under which clients reach the gateway, for example behind a load balancer. `sealgate presign` signs for the first of them, and answers that name a URL (CompleteMultipartUpload, POST forms) use the one that the client has used. Requests are verified by the Host that came, whatever stands here.',
  )

export const publicAccess = z
  .enum(['none', 'read', 'list', 'upload'], 'write none, read, list or upload')
  .default('none')
  .describe(
    'What requests without a signature may do. `none`: nothing. `read`: read objects whose keys they know. `list`: read and list. `upload`: make objects by PUT or by forms, replacing what is there, and read nothing; whoever reaches the listener can fill the store.',
  )
