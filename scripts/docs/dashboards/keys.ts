import { type Dashboard, of, quantile, rate } from './panel.ts'

export const KEYS: Dashboard = {
  uid: 'sealgate-keys',
  title: 'Sealgate: keys',
  says: 'Key managers, the bucket keys that are open, rotations, and data that does not open.',
  rows: [
    {
      title: 'Key managers',
      panels: [
        {
          title: 'Not asked, since they do not answer',
          unit: 'bool',
          width: 8,
          lines: [[`max by (manager) (${of('sealgate_key_manager_open')})`, '{{manager}}']],
        },
        {
          title: 'Since the last answer',
          says: 'Calls are rare while keys are open: an age alone says little.',
          unit: 's',
          width: 8,
          lines: [
            [`time() - max by (manager) (${of('sealgate_key_manager_answered_timestamp_seconds')})`, '{{manager}}'],
          ],
        },
        {
          title: 'Stood in for the active one',
          unit: 'cps',
          width: 8,
          lines: [[rate('sealgate_key_failover_total', 'manager'), '{{manager}}']],
        },
        {
          title: 'Calls',
          unit: 'cps',
          width: 12,
          lines: [[rate('sealgate_key_calls_total', 'manager, call'), '{{manager}} {{call}}']],
        },
        {
          title: 'Calls that did not succeed',
          unit: 'cps',
          width: 12,
          lines: [[rate('sealgate_key_calls_total', 'manager, outcome', 'outcome!="ok"'), '{{manager}} {{outcome}}']],
        },
        {
          title: 'Time of calls (95 %)',
          unit: 's',
          width: 12,
          lines: [[quantile(0.95, 'sealgate_key_call_seconds', 'manager'), '{{manager}}']],
        },
        {
          title: 'Tokens: time left',
          unit: 's',
          width: 12,
          lines: [[`min by (name) (${of('sealgate_expiry_timestamp_seconds', 'what="token"')} - time())`, '{{name}}']],
        },
      ],
    },
    {
      title: 'Open bucket keys',
      panels: [
        {
          title: 'Found open',
          unit: 'percentunit',
          width: 8,
          lines: [
            [
              `sum(rate(${of('sealgate_key_cache_total', 'event="hit"')}[$__rate_interval])) / sum(rate(${of('sealgate_key_cache_total', 'event=~"hit|miss"')}[$__rate_interval]))`,
              'hits',
            ],
          ],
        },
        {
          title: 'Looks',
          unit: 'cps',
          width: 8,
          lines: [[rate('sealgate_key_cache_total', 'event', 'event!="hit"'), '{{event}}']],
        },
        {
          title: 'Kept, and the age of the oldest',
          unit: 'none',
          width: 8,
          lines: [
            [`sum by (instance) (${of('sealgate_key_cache_entries')})`, '{{instance}}'],
            [`max by (instance) (${of('sealgate_key_cache_oldest_seconds')}) / 3600`, '{{instance}} hours'],
          ],
        },
      ],
    },
    {
      title: 'Data that does not open',
      panels: [
        {
          title: 'Integrity failures',
          unit: 'none',
          width: 24,
          lines: [
            [
              `sum by (kind, met) (increase(${of('sealgate_integrity_failures_total')}[$__rate_interval]))`,
              '{{kind}} {{met}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Rotation of master keys',
      panels: [
        {
          title: 'Phase',
          unit: 'bool',
          width: 8,
          lines: [[`max by (phase) (${of('sealgate_rotation_phase')})`, '{{phase}}']],
        },
        {
          title: 'Bucket keys',
          unit: 'none',
          width: 8,
          lines: [[`max by (outcome) (${of('sealgate_rotation_keys')})`, '{{outcome}}']],
        },
        {
          title: 'Waits for somebody',
          unit: 'bool',
          width: 8,
          lines: [[`max by (to) (${of('sealgate_rotation_stalled')})`, '{{to}}']],
        },
      ],
    },
  ],
}
