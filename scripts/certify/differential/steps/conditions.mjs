/** Conditions of reads, writes and deletes. */
import { step } from './step.mjs'

const PAST = 'Sat, 01 Jan 2000 00:00:00 GMT'
const FUTURE = 'Thu, 01 Jan 2037 00:00:00 GMT'
const MATCH = '{etag}'
const OTHER = '"00000000000000000000000000000000"'

/** By the name of the step. */
const READS = Object.entries({
  'if-match': { 'if-match': MATCH },
  'if-match other': { 'if-match': OTHER },
  'if-match *': { 'if-match': '*' },
  'if-match list': { 'if-match': `${OTHER}, ${MATCH}` },
  'if-match bare': { 'if-match': '{bare}' },
  'if-match weak': { 'if-match': `W/${MATCH}` },
  'if-none-match': { 'if-none-match': MATCH },
  'if-none-match other': { 'if-none-match': OTHER },
  'if-none-match *': { 'if-none-match': '*' },
  'if-none-match list': { 'if-none-match': `${OTHER}, ${MATCH}` },
  'if-modified-since past': { 'if-modified-since': PAST },
  'if-modified-since future': { 'if-modified-since': FUTURE },
  'if-modified-since itself': { 'if-modified-since': '{modified}' },
  'if-modified-since nonsense': { 'if-modified-since': 'yesterday' },
  'if-unmodified-since past': { 'if-unmodified-since': PAST },
  'if-unmodified-since future': { 'if-unmodified-since': FUTURE },
  'if-unmodified-since itself': { 'if-unmodified-since': '{modified}' },
  'if-match true, if-unmodified-since false': { 'if-match': MATCH, 'if-unmodified-since': PAST },
  'if-match false, if-unmodified-since true': { 'if-match': OTHER, 'if-unmodified-since': FUTURE },
  'if-none-match false, if-modified-since true': { 'if-none-match': MATCH, 'if-modified-since': PAST },
  'if-none-match true, if-modified-since false': { 'if-none-match': OTHER, 'if-modified-since': FUTURE },
  'if-range': { 'if-range': MATCH, range: 'bytes=0-1' },
  'if-range other': { 'if-range': OTHER, range: 'bytes=0-1' },
  'if-match and a range': { 'if-match': MATCH, range: 'bytes=0-1' },
})

const put = (name, key, headers, more) =>
  step(`conditions: put ${name}`, `PUT /diff-a/${key}`, { body: 'hello', headers, ...more })

export const CONDITIONS = [
  put('to begin with', 'cond', {}, { save: { etag: 'etag' } }),
  step('conditions: head for validators', 'HEAD /diff-a/cond', { save: { modified: 'last-modified' } }),
  step('conditions: list for the bare etag', 'GET /diff-a?prefix=cond', {
    save: { bare: /<ETag>(?:&quot;|&#34;|")(.*?)(?:&quot;|&#34;|")</ },
  }),
  ...READS.map(([name, headers]) => step(`conditions: get ${name}`, 'GET /diff-a/cond', { headers })),
  ...READS.slice(0, 17).map(([name, headers]) => step(`conditions: head ${name}`, 'HEAD /diff-a/cond', { headers })),
  put('if-none-match * on nothing', 'cond-new', { 'if-none-match': '*' }),
  put('if-none-match * on something', 'cond-new', { 'if-none-match': '*' }),
  put('if-none-match etag', 'cond-new', { 'if-none-match': OTHER }),
  put('if-match', 'cond', { 'if-match': MATCH }, { save: { etag: 'etag' } }),
  put('if-match other', 'cond', { 'if-match': OTHER }),
  put('if-match *', 'cond', { 'if-match': '*' }, { save: { etag: 'etag' } }),
  put('if-match on nothing', 'cond-none', { 'if-match': OTHER }),
  put('if-match and if-none-match', 'cond', { 'if-match': MATCH, 'if-none-match': '*' }),
  put('if-unmodified-since', 'cond', { 'if-unmodified-since': PAST }),
  step('conditions: delete if-match other', 'DELETE /diff-a/cond', { headers: { 'if-match': OTHER } }),
  step('conditions: delete if-match', 'DELETE /diff-a/cond', { headers: { 'if-match': MATCH } }),
  step('conditions: delete if-match nothing', 'DELETE /diff-a/cond', { headers: { 'if-match': OTHER } }),
]
