/** Every client, in the order of the matrix's rows. */
import { awsCli } from './aws-cli.mjs'
import { barman } from './barman.mjs'
import { boto3 } from './boto3.mjs'
import { data } from './data.mjs'
import { differential } from './differential.mjs'
import { duplicity } from './duplicity.mjs'
import { kmsAws } from './kms-aws.mjs'
import { kmsKmip } from './kms-kmip.mjs'
import { kmsPkcs11 } from './kms-pkcs11.mjs'
import { kmsVault } from './kms-vault.mjs'
import { mc } from './mc.mjs'
import { pgbackrest } from './pgbackrest.mjs'
import { rclone } from './rclone.mjs'
import { protocol } from './protocol.mjs'
import { reader } from './reader.mjs'
import { restic } from './restic.mjs'
import { s3cmd } from './s3cmd.mjs'
import { s3fs } from './s3fs.mjs'
import { s5cmd } from './s5cmd.mjs'
import { scaleOut } from './scale-out.mjs'
import { sdkJs } from './sdk-js.mjs'
import { minioGo, sdkGo, sdkJava, sdkRust } from './sdks.mjs'
import { statusPage } from './status-page.mjs'
import { terraform } from './terraform.mjs'

const SDKS = [boto3, sdkJs, sdkGo, sdkJava, sdkRust, minioGo]
const TOOLS = [awsCli, rclone, s5cmd, mc, s3cmd, s3fs]
const KEY_MANAGERS = [kmsAws, kmsPkcs11, kmsVault, kmsKmip]
const BACKUPS = [restic, duplicity, barman, pgbackrest]

export const CLIENTS = [...SDKS, ...TOOLS, ...BACKUPS, data, terraform, reader, scaleOut, differential, protocol, ...KEY_MANAGERS, statusPage]
