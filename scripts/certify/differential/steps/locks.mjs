/** Object Lock: the configuration of a bucket, retention and legal hold of its versions. */
import { config, each, md5, step, versioning } from './step.mjs'

const inHours = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\.\d+Z/, 'Z')
const SOON = inHours(48)
const MODE = 'x-amz-object-lock-mode'
const UNTIL = 'x-amz-object-lock-retain-until-date'
const retention = (mode, until) =>
  `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`
const hold = (status) => `<LegalHold><Status>${status}</Status></LegalHold>`
const configuration = (period) =>
  `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>${period}</DefaultRetention></Rule></ObjectLockConfiguration>`
const digested = { 'content-md5': md5('hello') }
const bypassing = (name, request, body) =>
  step(name, request, { body, headers: { 'content-md5': md5(body), 'x-amz-bypass-governance-retention': 'true' } })

const RETENTION = [
  config('locks: extend', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', SOON)),
  step('locks: extended', 'GET /diff-lock/k?retention'),
  config('locks: the same again', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', SOON)),
  config('locks: shorten', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', inHours(1))),
  config('locks: strengthen', 'PUT /diff-lock/k?retention', retention('COMPLIANCE', inHours(72))),
  config('locks: take away', 'PUT /diff-lock/k?retention', '<Retention/>'),
  bypassing('locks: shorten with bypass', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', inHours(1))),
  step('locks: bypass of nobody', 'PUT /diff-lock/k?retention', {
    body: retention('GOVERNANCE', inHours(1)),
    headers: { 'content-md5': md5(retention('GOVERNANCE', inHours(1))), 'x-amz-bypass-governance-retention': 'maybe' },
  }),
  bypassing('locks: take away with bypass', 'PUT /diff-lock/k?retention', '<Retention/>'),
  step('locks: taken away', 'GET /diff-lock/k?retention'),
  step('locks: head without', 'HEAD /diff-lock/k'),
  config('locks: retention that is past', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', inHours(-1))),
  config('locks: retention of no mode', 'PUT /diff-lock/k?retention', retention('FOREVER', SOON)),
  config('locks: retention until never', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', 'never')),
  config('locks: retention without a date', 'PUT /diff-lock/k?retention', '<Retention><Mode>GOVERNANCE</Mode></Retention>'),
  config('locks: retention in bad XML', 'PUT /diff-lock/k?retention', '<Retention'),
  config('locks: retention of nothing', 'PUT /diff-lock/none?retention', retention('GOVERNANCE', SOON)),
  step('locks: retention of nothing that is', 'GET /diff-lock/none?retention'),
  step('locks: retention in no bucket', 'GET /diff-missing/none?retention'),
  config('locks: comply', 'PUT /diff-lock/k?retention', retention('COMPLIANCE', inHours(1))),
  config('locks: comply longer', 'PUT /diff-lock/k?retention', retention('COMPLIANCE', inHours(2))),
  bypassing('locks: comply shorter with bypass', 'PUT /diff-lock/k?retention', retention('COMPLIANCE', inHours(1))),
  bypassing('locks: govern with bypass', 'PUT /diff-lock/k?retention', retention('GOVERNANCE', inHours(3))),
]

const HOLDS = [
  step('locks: legal hold at first', 'GET /diff-lock/k?legal-hold'),
  config('locks: legal hold', 'PUT /diff-lock/k?legal-hold', hold('ON')),
  step('locks: legal hold then', 'GET /diff-lock/k?legal-hold'),
  step('locks: head held', 'HEAD /diff-lock/k'),
  config('locks: legal hold of nonsense', 'PUT /diff-lock/k?legal-hold', hold('Maybe')),
  config('locks: legal hold of nothing said', 'PUT /diff-lock/k?legal-hold', '<LegalHold/>'),
  config('locks: legal hold of nothing', 'PUT /diff-lock/none?legal-hold', hold('ON')),
  step('locks: delete the version', 'DELETE /diff-lock/k?versionId={locked}'),
  config('locks: legal hold off', 'PUT /diff-lock/k?legal-hold&versionId={locked}', hold('OFF')),
  step('locks: legal hold at last', 'GET /diff-lock/k?legal-hold&versionId={locked}'),
  step('locks: delete', 'DELETE /diff-lock/k', { save: { lockMarker: 'x-amz-version-id' } }),
  ...each(['', '&versionId={lockMarker}'], (which) =>
    step(`locks: retention of a delete marker ${which}`, `GET /diff-lock/k?retention${which}`),
  ),
  ...each(['', '&versionId={lockMarker}'], (which) =>
    config(`locks: legal hold of a delete marker ${which}`, `PUT /diff-lock/k?legal-hold${which}`, hold('ON')),
  ),
  step('locks: retention of the version', 'GET /diff-lock/k?retention&versionId={locked}'),
]

export const LOCKS = [
  step('locks: create bucket', 'PUT /diff-lock', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } }),
  step('locks: configuration', 'GET /diff-lock?object-lock'),
  config('locks: default retention', 'PUT /diff-lock?object-lock', configuration('<Days>1</Days>')),
  config('locks: days and years', 'PUT /diff-lock?object-lock', configuration('<Days>1</Days><Years>1</Years>')),
  config(
    'locks: on a bucket without',
    'PUT /diff-b?object-lock',
    '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>',
  ),
  config('locks: suspend versioning', 'PUT /diff-lock?versioning', versioning('Suspended')),
  step('locks: put', 'PUT /diff-lock/k', { body: 'hello', headers: digested, save: { locked: 'x-amz-version-id' } }),
  step('locks: head', 'HEAD /diff-lock/k'),
  step('locks: retention', 'GET /diff-lock/k?retention'),
  ...RETENTION,
  ...HOLDS,
  step('locks: put without a digest', 'PUT /diff-lock/bare', { body: 'hello' }),
  step('locks: put with a lock of its own', 'PUT /diff-lock/own', {
    body: 'hello',
    headers: { ...digested, [MODE]: 'GOVERNANCE', [UNTIL]: SOON, 'x-amz-object-lock-legal-hold': 'OFF' },
  }),
  step('locks: head with a lock of its own', 'HEAD /diff-lock/own'),
  step('locks: put with half a lock', 'PUT /diff-lock/half', {
    body: 'hello',
    headers: { ...digested, [MODE]: 'GOVERNANCE' },
  }),
  step('locks: put with a lock that is past', 'PUT /diff-lock/past', {
    body: 'hello',
    headers: { ...digested, [MODE]: 'GOVERNANCE', [UNTIL]: inHours(-1) },
  }),
  step('locks: put with a lock of no mode', 'PUT /diff-lock/odd', {
    body: 'hello',
    headers: { ...digested, [MODE]: 'FOREVER', [UNTIL]: SOON },
  }),
  step('locks: retention without lock', 'GET /diff-a/plain?retention'),
  step('locks: hold without lock', 'GET /diff-a/plain?legal-hold'),
  config('locks: retain without lock', 'PUT /diff-a/plain?retention', retention('GOVERNANCE', SOON)),
  step('locks: put with headers without lock', 'PUT /diff-a/locked', {
    body: 'x',
    headers: { [MODE]: 'GOVERNANCE', [UNTIL]: SOON },
  }),
]
