"""Runs the test vectors of docs/format.md section 10 with the reader beside this file: `sealgate_reader.py vectors DIR`."""
import hashlib, io, json, re, struct
from urllib.parse import unquote_to_bytes
from sealgate_format import (C, D, H, Envelope, Failure, S, S_inverse, SUM_BYTES, bucket_key, expand, g, lv, master_id,
                             need, open_gcm, open_seal, unbase64, unwrap_bucket_key)


# ---- records of sections 6 and 7 ------------------------------------------------------------------------------------
def open_facts(header, body, masters, keyring):
    bad, names = "metadata failure", (header["namespace"].encode(), unquote_to_bytes(header["key"]))
    need(len(body) == 16 + 12 + 37 + 16, bad, "length of facts")
    record = next((record for record in keyring if record["kid"] == body[:16].hex()), None)
    need(record is not None, "unwrap failure", "K of these facts")
    K = unwrap_bucket_key(masters, record["provider"], unbase64(record["wrapped"], "unwrap failure"), names[0], record["day"], body[:16])
    facts_key = expand(K, "sealgate/v1/facts", b"", 32)
    content = open_gcm(facts_key, body[16:28], body[28:], lv(names[0]) + lv(names[1]), bad, "facts")
    version, P, generation, md5, parts, algorithm, kind = struct.unpack(">BQ8s16sHBB", content)
    need(version == 1, bad, "version of facts")
    return {"plaintextBytes": P, "generation": generation.hex(), "md5": md5.hex(), "partCount": parts,
            "checksumAlgorithm": algorithm, "checksumType": kind}


def open_state(header, body, masters, keyring):
    bad = "envelope failure"
    need(len(body) >= 3 and body[0] == 1, bad, "form of the record")
    end = 3 + struct.unpack_from(">H", body, 1)[0]
    need(end <= len(body), bad, "form of the record")
    prefix = Envelope(body[3:end], prefix_only=True)
    K = bucket_key(prefix, masters, keyring, header["namespace"].encode())
    text = open_seal(K, "sealgate/v1/state", lv(header["path"].encode()), body[end:], "metadata failure", "record")
    try:
        return json.loads(text)
    except ValueError:
        raise Failure("metadata failure", "not JSON") from None


def open_journal(header, body, masters, keyring):
    bad, text = "tail failure", body.decode("latin-1")
    joined = text.replace("/", "")
    need(text == "/".join(joined[at:at + 180] for at in range(0, len(joined), 180)), bad, "cut of the name")
    data = header["upload-id"].encode() + struct.pack(">H", int(header["part"])) + header["attempt"].encode()
    R, sealed = unbase64(header["object-key"], bad), unbase64(joined, bad)
    content = open_seal(R, "sealgate/v1/journal", data, sealed, bad, "journal record")
    need(len(content) >= 52, bad, "form")
    version, flags, size, salt, md5, algorithm = struct.unpack_from(">BBQ24s16sB", content)
    rest, fields = content[51:], []
    for _ in range(3):
        need(rest and len(rest) > rest[0], bad, "form")
        fields.append(rest[1:1 + rest[0]])
        rest = rest[1 + len(fields[-1]):]
    need(version == 1 and flags < 8 and not rest and (flags & 1 or md5 == bytes(16)), bad, "form")
    need(bool(flags & 2) == bool(algorithm) and SUM_BYTES.get(algorithm) == len(fields[0]), bad, "checksum")
    need(all(0x20 <= byte < 0x7f for byte in fields[1] + fields[2]), bad, "ETag")
    return {"bytes": size, "segmentSalt": salt.hex(), "md5": md5.hex() if flags & 1 else None, "heldBack": bool(flags & 4),
            "checksumAlgorithm": algorithm, "checksum": fields[0].hex(), "clientEtag": fields[1].decode(),
            "backendEtag": fields[2].decode()}


RECORDS = {"facts": open_facts, "state": open_state, "journal": open_journal}


# ---- vector files ---------------------------------------------------------------------------------------------------
def parse_vector(raw):
    head, body = raw.split(b"\n\n", 1)
    return dict(line.split(": ", 1) for line in head.decode().split("\n")), body


def run_vector(header, body, open_object):
    """Returns what differs from the vector's promise, or None."""
    if len(body) != int(header["body-bytes"]) or hashlib.sha256(body).hexdigest() != header["body-sha256"]:
        return "the body is not stored here: expand the vectors first" if not body and "seed" in header else "body"
    M = unbase64(header["master-key"], "unwrap failure") if "master-key" in header else b""
    customer = unbase64(header["customer-key"], "unwrap failure") if "customer-key" in header else None
    masters, keyring = {master_id(M): M}, json.loads(header.get("keyring", "[]"))
    released, outcome, content, entries = [], "success", None, None
    try:
        if "kind" in header:
            content = RECORDS[header["kind"]](header, body, masters, keyring)
        else:
            stored = {name: value for name, value in header.items() if name.startswith("sg-")}
            names = header["namespace"].encode(), unquote_to_bytes(header["key"])
            obj = open_object(stored, masters, keyring, *names, io.BytesIO(body), header.get("mode") == "recover", customer)
            span = tuple(map(int, header["range"].split("-"))) if "range" in header else None
            for chunk in obj.read(span):
                released.append(chunk)
            entries = [[tag, value.hex()] for tag, value in obj.tlvs]
    except Failure as failure:
        outcome = failure.layer
    plaintext = b"".join(released)
    if outcome != header["expect"]:
        return f"expected {header['expect']}, got {outcome}"
    if "content" in header and content != json.loads(header["content"]):
        return f"content {content}"
    if "entries" in header and entries != json.loads(header["entries"]):
        return f"entries {entries}"
    if "kind" not in header and (len(plaintext) != int(header["plaintext-bytes"])
                                 or hashlib.sha256(plaintext).hexdigest() != header["plaintext-sha256"]):
        return f"{len(plaintext)} plaintext bytes came out, not the {header['plaintext-bytes']} expected"
    return None


# ---- tables ---------------------------------------------------------------------------------------------------------
def digest(lines):
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def check_sizes(table):
    around = lambda step: (step - 1, step, step + 1)
    for P, s in table["valid"]:
        assert S(P) == s and S_inverse(s) == P, f"S({P})"
    for low, high in table["invalid"]:
        for s in {low, (low + high) // 2, high}:
            assert S_inverse(s) is None, f"{s} is invalid"
        assert S_inverse(high + 1) is not None and (low == 0 or S_inverse(low - 1) is not None), f"gap {low}-{high}"
    lines = [f"{P} {S(P)}" for k in range(1, 10001) for P in around(k * D)]
    assert digest(lines) == table["digests"]["D-steps"], "digest of the steps of D"
    assert digest(f"{P} {S(P)}" for k in range(1, 241) for P in around(k * C)) == table["digests"]["C-steps"], "C-steps"
    small = "".join("1" if S_inverse(s) is not None else "0" for s in range(200000))
    assert hashlib.sha256(small.encode()).hexdigest() == table["digests"]["valid-below-200000"], "valid below 200,000"


def check_ranges(table):
    for row in table["rows"]:
        sizes, first, last = row["segments"], row["first"], row["last"]
        stored = plain = 0
        span = []
        for p in sizes:
            if plain <= last and first < plain + p:
                low, high = max(0, first - plain), min(last - plain, p - 1)
                span += [stored + H + low // C * (C + 16), min(stored + H + g(p), stored + H + (high // C + 1) * (C + 16)) - 1]
            stored, plain = stored + H + g(p), plain + p
        assert [span[0], span[-1]] == row["stored"], row


def check_derivations(table):
    for row in table["rows"]:
        output = expand(bytes.fromhex(row["prk"]), row["label"], bytes.fromhex(row["data"]), row["bytes"])
        assert output.hex() == row["output"], row["label"]
    for row in table["state-ids"]:
        joined = b"".join(lv(row[name].encode()) for name in ("bucket", "key", "upload"))
        assert hashlib.sha256(joined).hexdigest()[:32] == row["id"], "state id"


TABLES = {"sizes.json": check_sizes, "ranges.json": check_ranges, "derivations.json": check_derivations}


def run_folder(folder, open_object):
    passed = failed = 0
    for path in sorted(folder.glob("*.vector")):
        mismatch = run_vector(*parse_vector(path.read_bytes()), open_object)
        print(f"mismatch {path.name}: {mismatch}" if mismatch else f"ok {path.name}")
        passed, failed = passed + (not mismatch), failed + bool(mismatch)
    for name, check in TABLES.items():
        try:
            check(json.loads((folder / name).read_text()))
            print(f"ok {name}")
            passed += 1
        except (AssertionError, OSError, KeyError) as error:
            print(f"mismatch {name}: {error}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return passed > 0 and failed == 0
