import { acceptNotification, notificationActs } from '../../s3/configuration/notification.ts'
import { parseXml, xmlDocument } from '../../s3/xml.ts'
import { type ConfigurationKind, getConfiguration, newRuleId, putConfiguration } from './configuration.ts'

/** Who shall be told of what. S3 sends each destination a test message first; there is nothing yet that could. */
const NOTIFICATION: ConfigurationKind = {
  name: 'notification',
  accept: (document, gateway) => acceptNotification(parseXml(document, gateway.limits.xmlBytes), newRuleId(gateway)),
  absent: { document: xmlDocument('NotificationConfiguration') },
  waits: notificationActs,
}

export const getBucketNotificationConfiguration = getConfiguration(NOTIFICATION)
export const putBucketNotificationConfiguration = putConfiguration(NOTIFICATION)
