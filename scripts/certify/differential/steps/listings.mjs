/** Listings with every parameter, over one bucket of known keys. */
import { each, step } from './step.mjs'

const KEYS = ['a', 'a/1', 'a/2', 'a/b/3', 'b', 'b-c', 'c/', 'c/d', 'e%20f', 'g+h', 'i%25j', '%C3%BC', '%E2%82%AC', '%F0%9F%98%80', 'z']

const QUERIES = [
  '',
  'prefix=a',
  'prefix=a/',
  'prefix=none',
  'prefix=',
  'delimiter=/',
  'delimiter=/&prefix=a/',
  'delimiter=/&prefix=a',
  'delimiter=/&prefix=c/',
  'delimiter=-',
  'delimiter=1',
  'delimiter=',
  'delimiter=%25',
  'delimiter=a/',
  'delimiter=%00',
  'max-keys=0',
  'max-keys=1',
  'max-keys=2&delimiter=/',
  'max-keys=1000',
  'max-keys=1001',
  'max-keys=2147483647',
  'max-keys=2147483648',
  'max-keys=-1',
  'max-keys=a',
  'max-keys=',
  'encoding-type=url',
  'encoding-type=url&delimiter=/',
  'encoding-type=url&prefix=%C3%BC',
  'encoding-type=url&delimiter=%2B&prefix=g',
  'encoding-type=nonsense',
  'encoding-type=',
]

const V1 = ['marker=a', 'marker=a/', 'marker=a/&delimiter=/', 'marker=a/1&delimiter=/', 'marker=b&max-keys=2', 'marker=zz', 'marker=', 'marker=a/&delimiter=/&max-keys=1', 'marker=e%20f&encoding-type=url', 'marker=%F0%9F%98%80']
const V2 = [
  'start-after=a',
  'start-after=a/&delimiter=/',
  'start-after=zz',
  'start-after=',
  'start-after=e%20f&encoding-type=url',
  'fetch-owner=true',
  'fetch-owner=false',
  'fetch-owner=nonsense',
  'continuation-token=',
  'continuation-token=nonsense',
  'continuation-token={token}',
  'continuation-token={token}&start-after=z',
  'continuation-token={prefixToken}&delimiter=/',
  'continuation-token={token}&prefix=b',
]

export const LISTINGS = [
  step('list: create bucket', 'PUT /diff-list'),
  step('list v1: empty bucket', 'GET /diff-list'),
  step('list v2: empty bucket', 'GET /diff-list?list-type=2'),
  ...each(KEYS, (key) => step(`list: put ${key}`, `PUT /diff-list/${key}`, { body: key })),
  ...each(QUERIES, (query) => step(`list v1: ${query}`, `GET /diff-list?${query}`)),
  ...each(V1, (query) => step(`list v1: ${query}`, `GET /diff-list?${query}`)),
  ...each(QUERIES, (query) => step(`list v2: ${query}`, `GET /diff-list?list-type=2${query === '' ? '' : '&'}${query}`)),
  step('list v2: first page', 'GET /diff-list?list-type=2&max-keys=2', { save: { token: /<NextContinuationToken>(.*?)</ } }),
  step('list v2: first page of prefixes', 'GET /diff-list?list-type=2&max-keys=2&delimiter=/', { save: { prefixToken: /<NextContinuationToken>(.*?)</ } }),
  ...each(V2, (query) => step(`list v2: ${query}`, `GET /diff-list?list-type=2&${query}`)),
  ...each(['1', '3', 'x', ''], (type) => step(`list: list-type=${type}`, `GET /diff-list?list-type=${type}`)),
  step('list v1: no bucket', 'GET /diff-missing'),
  step('list v2: no bucket', 'GET /diff-missing?list-type=2'),
  ...each(['', '&prefix=a', '&delimiter=/', '&max-keys=2', '&key-marker=b', '&version-id-marker=x', '&encoding-type=url', '&max-keys=a'], (query) => step(`list versions: unversioned ${query}`, `GET /diff-list?versions${query}`)),
]
