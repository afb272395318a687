import { type Dashboard, of } from './panel.ts'

export const JOBS: Dashboard = {
  uid: 'sealgate-jobs',
  title: 'Sealgate: jobs',
  says: 'Runs over objects and keys: how far they are, and what they met.',
  rows: [
    {
      title: 'Jobs',
      panels: [
        {
          title: 'Processes at it',
          unit: 'none',
          width: 8,
          lines: [[`max by (task) (${of('sealgate_job_running')})`, '{{task}}']],
        },
        {
          title: 'Since the last one was begun',
          unit: 's',
          width: 8,
          lines: [[`time() - max by (task) (${of('sealgate_job_begun_timestamp_seconds')})`, '{{task}}']],
        },
        {
          title: 'Bytes moved',
          unit: 'bytes',
          width: 8,
          lines: [[`max by (task) (${of('sealgate_job_bytes')})`, '{{task}}']],
        },
        {
          title: 'What they came past',
          unit: 'none',
          width: 12,
          lines: [[`max by (task, outcome) (${of('sealgate_job_items')})`, '{{task}} {{outcome}}']],
        },
        {
          title: 'Failed and damaged',
          says: 'Damaged objects are not what was written.',
          unit: 'none',
          width: 12,
          lines: [
            [
              `max by (task, outcome) (${of('sealgate_job_items', 'outcome=~"failed|damaged|unreadable"')})`,
              '{{task}} {{outcome}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Rotation of master keys',
      panels: [
        {
          title: 'Bucket keys',
          unit: 'none',
          width: 12,
          lines: [[`max by (outcome) (${of('sealgate_rotation_keys')})`, '{{outcome}}']],
        },
        {
          title: 'Done',
          unit: 'percentunit',
          width: 12,
          lines: [
            [
              `max(${of('sealgate_rotation_keys', 'outcome="examined"')}) / max(${of('sealgate_rotation_keys', 'outcome="total"')})`,
              'examined',
            ],
          ],
        },
      ],
    },
    {
      title: 'What is left to seal',
      panels: [
        {
          title: 'Objects in plaintext',
          unit: 'none',
          width: 24,
          lines: [[`max by (bucket) (${of('sealgate_plaintext_objects')})`, '{{bucket}}']],
        },
      ],
    },
  ],
}
