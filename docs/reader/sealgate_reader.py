#!/usr/bin/env python3
"""A second reader of the Sealgate object format, written from docs/format.md alone (section numbers here are its).

  sealgate_reader.py decrypt FOLDER --master-keys master-keys.json [--keyring FILE] [-o OUT] [--recover] [--info]
  sealgate_reader.py decrypt FOLDER --customer-key FILE [-o OUT] [--info]
  sealgate_reader.py vectors DIR

Needs Python 3.9 and the package `cryptography`. Exit status 0: all well; 1: damage, a wrong key or a mismatch; 2: usage.
"""
import argparse, hashlib, hmac, json, os, re, struct, sys
from pathlib import Path
from sealgate_format import (C, D, H, S, S_inverse, T, Envelope, Failure, bucket_key, customer_key, g, header_and_keys,
                             load_master_keys, need, open_area, open_chunk, open_seal, parse_metadata, read_at, read_tail, tlv_name, unbase64,
                             unwrap_object_key)

TLV_NAMES = {1: "content-type", 2: "cache-control", 3: "content-disposition", 4: "content-encoding",
             5: "content-language", 6: "expires", 7: "website-redirect-location"}


# ---- section 8: reading ---------------------------------------------------------------------------------------------
class Object:
    """An object whose keys have been opened: `tlvs` describe it, `read` yields verified plaintext."""
    def __init__(self, body, s, R, env, meta):
        self.body, self.s, self.R, self.meta, self.tail = body, s, R, meta, None
        if meta and env.flags & 2:
            need(S(meta["P"]) == s, "size mismatch", f"{s} bytes are stored, {S(meta['P'])} belong to {meta['P']}")
            self.P, self.segments = meta["P"], [(1, 0, meta["P"], meta["salt"])]
        else:
            need(S_inverse(s) is not None, "size mismatch", f"{s} is the size of no sealed object")
            self.tail = read_tail(body, s, R)
            self.P, self.segments = self.tail["P"], self.tail["segments"]
        self.tlvs = meta["tlvs"] if meta else []
        if not meta or env.flags & 4:
            self.tail = self.tail or (read_tail(body, s, R) if self.P >= D else None)
            if self.tail and self.tail["area"]:
                merged = {tlv_name(tlv): tlv for tlv in open_area(R, self.tail["area"]) + self.tlvs}   # sg-m wins
                self.tlvs = [merged[name] for name in sorted(merged)]

    def read(self, span=None):
        first, last = span or (0, self.P - 1)
        held, stored, plain = b"", 0, 0
        for kind, part, p, salt in self.segments:
            if span is None or (plain <= last and first < plain + p):
                header, key, base = header_and_keys(self.R, kind, part, salt)
                from_metadata = self.meta and self.meta["P"] == self.P and self.meta["commitment"] != bytes(32)
                if from_metadata:
                    need(hmac.compare_digest(header[32:], self.meta["commitment"]), "commitment failure", "metadata")
                if span is None or first < plain:              # a header in front of the range is not read
                    need(hmac.compare_digest(header, read_at(self.body, stored, H)), "commitment failure", "header")
                for i in range(max(0, first - plain) // C, (p if span is None else min(last - plain, p - 1)) // C + 1):
                    sealed = read_at(self.body, stored + H + i * (C + T), min(C, p - i * C) + T)
                    chunk = open_chunk(key, base, i, sealed, "payload failure")
                    at = plain + i * C
                    chunk = chunk[max(0, first - at):] if span is None else chunk[max(0, first - at):last + 1 - at]
                    if chunk and at + len(chunk) >= self.P and span is None:
                        held = chunk                               # the last non-empty chunk of the whole object
                    elif chunk:
                        yield chunk
            stored, plain = stored + H + g(p), plain + p
        if span is None:
            tail = read_tail(self.body, self.s, self.R, whole_pad=True)
            same = tail["segments"] == self.segments and tail["P"] == self.P
            need(same, "tail failure", "the tail is not that of this object")
            yield held


def open_object(stored, masters, keyring, namespace, key, body, recover=False, customer=None):
    s = body.seek(0, 2)
    if recover:
        env, namespace, key = read_foot(body, s)
    else:
        need("sg-e" in stored, "envelope failure", "sg-e is missing")
        env = Envelope(unbase64(stored["sg-e"], "envelope failure"))
    R = unwrap_object_key(env, bucket_key(env, masters, keyring, namespace, customer), namespace, key)
    if recover:
        return Object(body, s, R, env, None)
    bad = "metadata failure"
    parts = ["sg-m"] + [f"sg-m{i}" for i in range(2, len(stored) + 1)]
    parts = parts[:sum(1 for name in stored if re.fullmatch(r"sg-m\d*", name))]
    need(parts and all(stored.get(part) for part in parts), bad, "sg-m, sg-m2 … are not consecutive")
    sealed = unbase64("".join(stored[part] for part in parts), bad)
    content = open_seal(R, "sealgate/v1/metadata", hashlib.sha256(env.raw).digest(), sealed, bad, "sg-m")
    return Object(body, s, R, env, parse_metadata(content, env))


def read_foot(body, s):
    bad = "envelope failure"
    need(S_inverse(s) is not None, "size mismatch", f"{s} is the size of no sealed object")
    length, magic = struct.unpack(">H6x8s", read_at(body, s - 16, 16))
    need(magic == b"SGT1TAIL" and length <= 2048, "tail failure", "trailer")
    need(length > 0, bad, "this object has no foot: its metadata cannot be recovered from its body")
    foot = read_at(body, s - 16 - length, length)
    env, names = Envelope(foot, at_start=True), []
    at = env.end
    for _ in range(2):
        need(at + 2 <= length, bad, "foot")
        n = struct.unpack_from(">H", foot, at)[0]
        names.append(foot[at + 2:at + 2 + n])
        at += 2 + n
    need(at == length, bad, "foot")
    return env, names[0], names[1]


def describe(tlvs, meta):
    info = {"headers": {}, "user-metadata": {}}
    for tag, value in tlvs:
        if tag in TLV_NAMES:
            info["headers"][TLV_NAMES[tag]] = value.decode("utf-8", "replace")
        elif tag == 8:
            info["user-metadata"][value[1:1 + value[0]].decode("utf-8", "replace")] = value[1 + value[0]:].decode("utf-8", "replace")
    return {**info, **({"generation": meta["generation"], "write-time": meta["time"]} if meta else {})}


# ---- command line ---------------------------------------------------------------------------------------------------
def decrypt(args):
    masters = load_master_keys(Path(args.master_keys).read_text()) if args.master_keys else {}
    customer = customer_key(Path(args.customer_key).read_bytes()) if args.customer_key else None
    keyring = json.loads(Path(args.keyring).read_text()) if args.keyring else []
    folder = Path(args.folder)
    description = folder / "object.json"
    about = json.loads(description.read_text()) if description.exists() or not args.recover else {}
    with open(folder / "body", "rb") as body:
        obj = open_object(about.get("metadata", {}), masters, keyring, about.get("namespace", "").encode(),
                          about.get("key", "").encode(), body, args.recover, customer)
        if args.info:
            print(json.dumps({"plaintext-bytes": obj.P, **describe(obj.tlvs, obj.meta)}, indent=2, ensure_ascii=False))
            return
        target = args.output + ".part" if args.output else None
        with open(target, "wb") if target else os.fdopen(os.dup(1), "wb") as out:
            for chunk in obj.read():
                out.write(chunk)
        if target:
            os.replace(target, args.output)                        # a name appears only for verified plaintext


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    one = commands.add_parser("decrypt", help="decrypt a folder with `body` and `object.json`")
    one.add_argument("folder")
    one.add_argument("--master-keys", help="file of a local key manager")
    one.add_argument("--customer-key", help="file with the key of an SSE-C object: 32 bytes, or their base64")
    one.add_argument("--keyring", help="file of `sealgate keys export`")
    one.add_argument("-o", "--output", help="file for the plaintext; default: standard output")
    one.add_argument("--recover", action="store_true", help="metadata was lost: use the recovery envelope in the body")
    one.add_argument("--info", action="store_true", help="print content headers and user metadata as JSON instead")
    commands.add_parser("vectors", help="run test vectors").add_argument("folder")
    args = parser.parse_args()
    if args.command == "vectors":
        from sealgate_vectors import run_folder
        sys.exit(0 if run_folder(Path(args.folder), open_object) else 1)
    try:
        decrypt(args)
    except (Failure, OSError, ValueError, KeyError) as error:
        sys.exit(f"sealgate_reader: {error}")


if __name__ == "__main__":
    main()
