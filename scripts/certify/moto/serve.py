"""moto's server (arguments as its own, with the file of its keys before them), whose keys outlive it and refuse as those of AWS do."""

import os
import pickle
import signal
import sys
import uuid

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import IAMRequest
from moto.kms.models import Key, KmsBackend, kms_backends
from moto.server import main

FILE = sys.argv.pop(1)


def shed(key):
    """A symmetric key has none of these, and they cannot be written to a file."""
    return {**key.__dict__, "private_key": None}


def save(*_):
    found = [
        (account, region, backend.keys)
        for account, regions in kms_backends.items()
        for region, backend in regions.items()
        if backend.keys
    ]
    with open(FILE, "wb") as file:
        pickle.dump(found, file)
    os._exit(0)


def load():
    if not os.path.exists(FILE):
        return
    with open(FILE, "rb") as file:
        for account, region, keys in pickle.load(file):
            kms_backends[account][region].keys = keys


def refusing(work):
    """moto tells the state of a key and uses it all the same."""

    def checked(master_keys, *args, **kwargs):
        name = kwargs.get("key_id") or kwargs["ciphertext_blob"][:36].decode("utf-8", "replace")
        state = getattr(master_keys.get(name), "key_state", "Enabled")
        if state == "Disabled":
            raise JsonRESTError("DisabledException", f"{master_keys[name].arn} is disabled.")
        if state != "Enabled":
            raise JsonRESTError("KMSInvalidStateException", f"{master_keys[name].arn} is pending deletion.")
        return work(master_keys=master_keys, *args, **kwargs)

    return checked


def telling(code):
    """moto tells these in XML, which no client of KMS reads."""

    def tell(self, *_):
        raise JsonRESTError(code, f"{self._action} is refused.")

    return tell


IAMRequest._raise_access_denied = telling("AccessDeniedException")
IAMRequest._raise_signature_does_not_match = telling("InvalidSignatureException")
IAMRequest._raise_invalid_access_key = telling("UnrecognizedClientException")
# A role is assumed by a token, without a signature.
signed = ActionAuthenticatorMixin._authenticate_and_authorize_action
ActionAuthenticatorMixin._authenticate_and_authorize_action = lambda self, *args: (
    None if self._get_action() == "AssumeRoleWithWebIdentity" else signed(self, *args)
)
Key.__getstate__ = shed
models = sys.modules[KmsBackend.__module__]
# Its ciphertexts have no room for the prefix of multi-region keys.
models.generate_key_id = lambda multi_region=False: str(uuid.uuid4())
models.encrypt, models.decrypt = refusing(models.encrypt), refusing(models.decrypt)
load()
# moto's own handlers would end it before anything is saved.
signal_as_before = signal.signal
signal_as_before(signal.SIGTERM, save)
signal.signal = lambda *_: None
main()
