/** Odd names: put, read, found in a listing, deleted. */
import { each, step } from './step.mjs'

const NAMES = [
  'dir/',
  'dir/file',
  'space%20name',
  'plus+name',
  'plus%2Bname',
  'percent%25name',
  'percent%2525name',
  'question%3Fname',
  'hash%23name',
  'amp%26name',
  'quote%22name',
  '%3Cangle%3E',
  '%C3%BCmlaut',
  'u%CC%88mlaut',
  '%E2%82%AC',
  '%F0%9F%98%80',
  'tab%09name',
  'newline%0Aname',
  'control%01name',
  'semi;name',
  'colon:name',
  'star*name',
  'tilde~name',
  "apostrophe'name",
  '(brackets)',
  'back%5Cslash',
  'trailing.',
  '.hidden',
  'a//b',
  'a/./b',
  'a/../b',
  '%2Fleading',
  '%00',
  '%AE%8A',
  '%zz',
]

const REFUSED = ['a//b', 'a/./b', 'a/../b', '%2Fleading', '%00']

export const KEYS = [
  step('keys: create bucket', 'PUT /diff-keys'),
  ...each(NAMES, (name) => step(`keys: put ${name}`, `PUT /diff-keys/${name}`, { body: name })),
  ...each(NAMES, (name) => step(`keys: get ${name}`, `GET /diff-keys/${name}`)),
  // Not every store takes these: a listing shall not differ for their sake.
  ...each(REFUSED, (name) => step(`keys: delete ${name} before listings`, `DELETE /diff-keys/${name}`)),
  step('keys: get dir without slash', 'GET /diff-keys/dir'),
  step('keys: list', 'GET /diff-keys'),
  step('keys: list encoded', 'GET /diff-keys?encoding-type=url'),
  step('keys: list v2 encoded with delimiter', 'GET /diff-keys?list-type=2&encoding-type=url&delimiter=/'),
  ...each(NAMES, (name) => step(`keys: delete ${name}`, `DELETE /diff-keys/${name}`)),
  step('keys: nothing is left', 'GET /diff-keys?encoding-type=url'),
]
