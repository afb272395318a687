import { type Dashboard, of, quantile, rate } from './panel.ts'

export const BACKEND: Dashboard = {
  uid: 'sealgate-backend',
  title: 'Sealgate: backend',
  says: 'The stores of objects and of state: calls, their time, and what had to be sent anew.',
  rows: [
    {
      title: 'Calls',
      panels: [
        {
          title: 'By call',
          unit: 'cps',
          width: 12,
          lines: [[rate('sealgate_store_calls_total', 'store, call'), '{{store}} {{call}}']],
        },
        {
          title: 'Not answered, or failed',
          unit: 'cps',
          width: 12,
          lines: [
            [
              rate('sealgate_store_calls_total', 'store, call, outcome', 'outcome=~"unavailable|failed"'),
              '{{store}} {{call}} {{outcome}}',
            ],
          ],
        },
        {
          title: 'Refused',
          says: 'No such key, a condition that does not hold: as a rule no fault.',
          unit: 'cps',
          width: 12,
          lines: [[rate('sealgate_store_calls_total', 'store, call', 'outcome="refused"'), '{{store}} {{call}}']],
        },
        {
          title: 'Time (95 %)',
          unit: 's',
          width: 12,
          lines: [[quantile(0.95, 'sealgate_store_call_seconds', 'store, call'), '{{store}} {{call}}']],
        },
      ],
    },
    {
      title: 'Requests to an S3 store',
      panels: [
        {
          title: 'Attempts',
          unit: 'reqps',
          width: 12,
          lines: [[rate('sealgate_store_attempts_total', 'store, outcome'), '{{store}} {{outcome}}']],
        },
        {
          title: 'Sent anew',
          unit: 'reqps',
          width: 12,
          lines: [[rate('sealgate_store_retries_total', 'store, reason'), '{{store}} {{reason}}']],
        },
        {
          title: 'Attempts for each call',
          unit: 'none',
          width: 8,
          lines: [
            [
              `${rate('sealgate_store_attempts_total', 'store')} / ${rate('sealgate_store_calls_total', 'store')}`,
              '{{store}}',
            ],
          ],
        },
        {
          title: 'Under way',
          unit: 'none',
          width: 8,
          lines: [[`sum by (instance, store) (${of('sealgate_store_requests_open')})`, '{{instance}} {{store}}']],
        },
        {
          title: 'Waiting for a connection',
          says: 'Where it stays above 0, raise backend.connections.',
          unit: 'none',
          width: 8,
          lines: [[`sum by (instance, store) (${of('sealgate_store_requests_queued')})`, '{{instance}} {{store}}']],
        },
      ],
    },
    {
      title: 'Bytes',
      panels: [
        {
          title: 'Written and read',
          unit: 'Bps',
          width: 12,
          lines: [[rate('sealgate_stored_bytes_total', 'direction'), '{{direction}}']],
        },
        {
          title: 'Stored for each byte of plaintext',
          says: 'Envelopes, tags and tails; copies inside of the store move nothing.',
          unit: 'none',
          width: 12,
          lines: [
            [
              `sum(rate(${of('sealgate_stored_bytes_total', 'direction="written"')}[$__rate_interval])) / sum(rate(${of('sealgate_client_bytes_total', 'direction="received"')}[$__rate_interval]))`,
              'written',
            ],
          ],
        },
      ],
    },
  ],
}
