import { type Dashboard, of, quantile, rate } from './panel.ts'

export const OPERATIONS: Dashboard = {
  uid: 'sealgate-operations',
  title: 'Sealgate: S3 operations',
  says: 'What clients ask for, what they are answered, and how long it takes.',
  rows: [
    {
      title: 'Operations',
      panels: [
        {
          title: 'Requests',
          unit: 'reqps',
          width: 12,
          stacked: true,
          lines: [[rate('sealgate_requests_total', 'operation'), '{{operation}}']],
        },
        {
          title: 'Failed (5xx)',
          unit: 'reqps',
          width: 12,
          lines: [[rate('sealgate_requests_total', 'operation, code', 'status=~"5.."'), '{{operation}} {{code}}']],
        },
        {
          title: 'Refused (4xx)',
          unit: 'reqps',
          width: 12,
          lines: [[rate('sealgate_requests_total', 'operation, code', 'status=~"4.."'), '{{operation}} {{code}}']],
        },
        {
          title: 'Clients that went away',
          unit: 'reqps',
          width: 12,
          lines: [[rate('sealgate_requests_total', 'operation', 'code="ClientDisconnected"'), '{{operation}}']],
        },
      ],
    },
    {
      title: 'Time',
      panels: [
        {
          title: 'To the first byte of the answer (95 %)',
          says: 'From the last byte of the request.',
          unit: 's',
          width: 12,
          lines: [[quantile(0.95, 'sealgate_request_turnaround_seconds', 'operation'), '{{operation}}']],
        },
        {
          title: 'To the end of the answer (95 %)',
          unit: 's',
          width: 12,
          lines: [[quantile(0.95, 'sealgate_request_seconds', 'operation'), '{{operation}}']],
        },
        ...(['backend', 'cipher', 'keys', 'gateway'] as const).map((stage) => ({
          title: `Mean time: ${stage}`,
          unit: 's',
          width: 6,
          lines: [
            [
              `${rate('sealgate_request_stage_seconds_sum', 'operation', `stage="${stage}"`)} / ${rate('sealgate_request_seconds_count', 'operation')}`,
              '{{operation}}',
            ] as const,
          ],
        })),
      ],
    },
    {
      title: 'Buckets',
      panels: [
        {
          title: 'Requests',
          unit: 'reqps',
          width: 8,
          stacked: true,
          lines: [[rate('sealgate_requests_total', 'bucket'), '{{bucket}}']],
        },
        {
          title: 'Bytes of clients',
          unit: 'Bps',
          width: 8,
          lines: [[rate('sealgate_client_bytes_total', 'bucket, direction'), '{{bucket}} {{direction}}']],
        },
        {
          title: 'Bytes of the backend',
          unit: 'Bps',
          width: 8,
          lines: [[rate('sealgate_stored_bytes_total', 'bucket, direction'), '{{bucket}} {{direction}}']],
        },
        {
          title: 'Met in plaintext',
          unit: 'cps',
          width: 12,
          lines: [[rate('sealgate_plaintext_seen_total', 'bucket'), '{{bucket}}']],
        },
        {
          title: 'Left in plaintext',
          unit: 'none',
          width: 12,
          lines: [
            [`max by (bucket) (${of('sealgate_plaintext_objects')})`, '{{bucket}}'],
            [`max by (bucket) (${of('sealgate_plaintext_examined_objects')})`, '{{bucket}} examined'],
          ],
        },
      ],
    },
    {
      title: 'Multipart uploads',
      panels: [
        {
          title: 'Open, and abandoned ones that stay',
          unit: 'none',
          width: 12,
          lines: [
            [`max(${of('sealgate_uploads_open')})`, 'open'],
            [`max(${of('sealgate_uploads_abandoned')})`, 'abandoned'],
          ],
        },
        {
          title: 'Collected within an hour',
          unit: 'none',
          width: 12,
          lines: [[`sum by (kind) (increase(${of('sealgate_uploads_collected_total')}[1h]))`, '{{kind}}']],
        },
      ],
    },
  ],
}
