"""What an administrator of a KMIP server does, by PyKMIP's own client. Reads a line of JSON for each thing to do, answers each with one."""

import json
import sys

from kmip.core import enums
from kmip.pie.client import ProxyKmipClient
from kmip.pie.objects import SymmetricKey

AES = enums.CryptographicAlgorithm.AES
USAGE = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
WRAPS = [enums.CryptographicUsageMask.WRAP_KEY]


def perform(client, do, id=None, name=None, length=256, active=True, hex=None):
    if do == "create":
        made = client.create(AES, length, name=name, cryptographic_usage_mask=USAGE)
    elif do == "register":
        value = bytes.fromhex(hex)
        made = client.register(SymmetricKey(AES, len(value) * 8, value, masks=WRAPS, name=name))
    elif do == "revoke":
        client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, id)
        return None
    elif do == "compromise":
        client.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, id)
        return None
    elif do == "destroy":
        client.destroy(id)
        return None
    else:
        raise ValueError(do)
    if active:
        client.activate(made)
    return made


host, port, cert, key, ca = sys.argv[1:]
for line in sys.stdin:
    with ProxyKmipClient(
        hostname=host,
        port=int(port),
        cert=cert,
        key=key,
        ca=ca,
        ssl_version="PROTOCOL_TLSv1_2",
        kmip_version=enums.KMIPVersion.KMIP_1_4,
    ) as client:
        print("answer", json.dumps(perform(client, **json.loads(line))), flush=True)
