"""Sections 1 to 6 of docs/format.md, from the bytes up: derivation, sizes, envelope, keys, sealed metadata, tail."""
import base64, hashlib, hmac, json, os, re, struct, sys
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

C, T, H, D = 65536, 16, 64, 5242880
SUM_BYTES = {0: 0, 1: 4, 2: 4, 3: 20, 4: 32, 5: 8, 6: 16, 7: 64, 8: 8, 9: 8, 10: 16}


class Failure(Exception):
    """What is wrong; `layer` is one of section 8's."""
    def __init__(self, layer, why):
        super().__init__(f"{layer}: {why}")
        self.layer = layer


def need(condition, layer, why):
    if not condition:
        raise Failure(layer, why)


# ---- section 1: derivation, sealed boxes, text ----------------------------------------------------------------------
def expand(prk, label, data, n):
    info, out, block, i = label.encode() + b"\0" + data, b"", b"", 0
    while len(out) < n:
        i += 1
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha512).digest()
        out += block
    return out[:n]


def open_gcm(key, nonce, sealed, aad, layer, why):
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError):
        raise Failure(layer, why) from None


def open_seal(prk, label, data, sealed, layer, why):
    need(len(sealed) >= 40, layer, why + " (too short)")
    keys = expand(prk, label, sealed[:24] + data, 44)
    return open_gcm(keys[:32], keys[32:], sealed[24:], None, layer, why)


def lv(x):
    return struct.pack(">I", len(x)) + x


def unbase64(text, layer):
    need(re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1, layer, "not base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text, layer, "base64url is not canonical")
    return raw


# ---- sections 2 and 3: sizes ----------------------------------------------------------------------------------------
def g(p):
    return p + T * (p // C + 1)


def g_inverse(y):
    q, r = divmod(y - T, C + T)
    return q * C + r if y >= T and r < C else None


def u(P):
    return min(9999, P // D)


def S(P):
    return P + 16 * (P // C) + (336 if P < D else 7184 + 200 * u(P))


def S_inverse(s):
    c0 = min(9999, (s - 336) // D)
    for c in range(c0, max(0, c0 - 4) - 1, -1):
        p = g_inverse(s - 320 - (6848 + 200 * c if c else 0))
        if p is not None and u(p) == c:
            return p
    return None


# ---- section 5: envelope and keys -----------------------------------------------------------------------------------
class Envelope:
    def __init__(self, raw, prefix_only=False, at_start=False):
        bad = "envelope failure"
        def take(n):
            nonlocal at
            need(at + n <= len(raw), bad, "truncated")
            at += n
            return raw[at - n:at]
        at = 0
        version, self.suite, self.flags, a = take(4)
        need(version == 1 and self.suite == 1 and self.flags < 32, bad, "unknown version, suite or flag")
        need(prefix_only and self.flags == 16 or not prefix_only and (self.flags & 3) in (1, 2), bad, "flags")
        self.provider = take(a).decode("latin-1")
        sse_c = self.provider == "c"
        need(sse_c or re.fullmatch(r"[lmavpkzg][a-z0-9-]{1,15}", self.provider), bad, "key reference")
        self.day, self.kid = struct.unpack(">I16s", take(20))
        self.wrapped = take(struct.unpack(">H", take(2))[0])
        need(bool(self.wrapped) == bool(self.flags & 16), bad, "w does not agree with flag 16")
        need(not sse_c or self.day == 0 and not self.wrapped, bad, "SSE-C with a day or a wrapped key")
        self.end, self.bound = at, raw[:at]
        if not prefix_only:
            self.salt, self.sealed_key = take(24), take(48)
            self.end = at
        need(at_start or at == len(raw), bad, "bytes left over")
        self.raw = raw[:at]


def load_master_keys(text):
    keys = {}
    for entry in json.loads(text)["keys"]:
        if "kdf" in entry:
            kdf, secret = entry["kdf"], os.environ.get("SEALGATE_PASSPHRASE")
            need(kdf["name"] == "scrypt" and secret is not None, "unwrap failure", "SEALGATE_PASSPHRASE is not set")
            key = hashlib.scrypt(secret.encode(), salt=unbase64(kdf["salt"], "unwrap failure"), n=kdf["N"], r=kdf["r"], p=kdf["p"],
                                 maxmem=256 * kdf["N"] * kdf["r"] + 2**20, dklen=32)
        else:
            key = unbase64(entry["key"], "unwrap failure")
        need(master_id(key).hex() == entry["id"], "unwrap failure", f"master key {entry['id']}: wrong key or passphrase")
        keys[master_id(key)] = key
    return keys


def master_id(key):
    return expand(key, "sealgate/v1/local-id", b"", 8)


def unwrap_bucket_key(masters, provider, wrapped, namespace, day, kid):
    bad = "unwrap failure"
    need(provider[0] in "lm", bad, f"this reader has no key manager for {provider!r}")
    need(len(wrapped) == 9 + 40 + 32 and wrapped[0] == 1, bad, "form of the wrapped K")
    need(wrapped[1:9] in masters, bad, f"no master key {wrapped[1:9].hex()}")
    context = lv(namespace) + struct.pack(">I", day)
    key = open_seal(masters[wrapped[1:9]], "sealgate/v1/local", context, wrapped[9:], bad, "K does not open")
    need(hmac.compare_digest(expand(key, "sealgate/v1/kid", b"", 16), kid), bad, "kid")
    return key


def customer_key(raw):
    """The key of SSE-C from a file: its 32 bytes, or their base64 as clients send it."""
    key = raw if len(raw) == 32 else base64.b64decode(raw.strip(), validate=True)
    need(len(key) == 32, "unwrap failure", "a customer's key has 32 bytes")
    return key


def open_customer_key(env, customer):
    bad = "unwrap failure"
    need(customer is not None, bad, "the object is under a customer's key (SSE-C)")
    K = hmac.new(env.salt, customer, hashlib.sha512).digest()[:32]             # HKDF-Extract
    need(hmac.compare_digest(expand(K, "sealgate/v1/kid", b"", 16), env.kid), bad, "another customer's key")
    return K


def bucket_key(env, masters, keyring, namespace, customer=None):
    if env.provider == "c":
        return open_customer_key(env, customer)
    for record in keyring:
        if record["kid"] == env.kid.hex() and record["namespace"].encode() == namespace:
            try:
                return unwrap_bucket_key(masters, record["provider"], unbase64(record["wrapped"], "unwrap failure"), namespace,
                                         record["day"], env.kid)
            except Failure as failure:
                print(f"warning: keyring record {record['kid']} ignored: {failure}", file=sys.stderr)
    need(env.wrapped, "unwrap failure", "K is neither in the keyring nor in the envelope")
    return unwrap_bucket_key(masters, env.provider, env.wrapped, namespace, env.day, env.kid)


def unwrap_object_key(env, K, namespace, key):
    bound = env.salt + hashlib.sha256(env.bound).digest() + lv(namespace) + lv(key)
    keys = expand(K, "sealgate/v1/wrap", bound, 44)
    return open_gcm(keys[:32], keys[32:], env.sealed_key, None, "unwrap failure", "R does not open")


# ---- section 6: sealed metadata ------------------------------------------------------------------------------------
def parse_tlvs(raw, layer):
    tlvs, at = [], 0
    while at < len(raw):
        need(at + 3 <= len(raw), layer, "TLV truncated")
        tag, length = struct.unpack_from(">BH", raw, at)
        need(at + 3 + length <= len(raw), layer, "TLV truncated")
        tlvs.append((tag, raw[at + 3:at + 3 + length]))
        at += 3 + length
    for tag, value in tlvs:
        need(tag < 128, layer, f"critical tag {tag}")
        need(tag != 8 or value and 1 <= value[0] < len(value), layer, "user metadata")
        need(tag != 9 or len(value) > 2 and SUM_BYTES.get(value[0]) == len(value) - 2 and value[1] < 2, layer, "checksum")
        need(tag != 10 or len(value) == 18, layer, "MD5")
        need(tag != 11 or value and 1 <= value[0] <= 4, layer, "server-side encryption")
    order = [tlv_name(tlv) for tlv in tlvs]
    need(all(a < b for a, b in zip(order, order[1:])), layer, "TLVs twice or out of order")
    return tlvs


def tlv_name(tlv):
    return tlv[0], tlv[1][1:1 + tlv[1][0]] if tlv[0] == 8 else b""


def parse_metadata(content, env):
    bad = "metadata failure"
    need(len(content) >= 82 and content[0] == 1 and content[1] == 0, bad, "form")
    P, salt, commitment, generation, time = struct.unpack_from(">Q24s32s8sQ", content, 2)
    need(env.flags & 2 or content[2:66] == bytes(64), bad, "P, salt or commitment with flag 1")
    return {"P": P, "salt": salt, "commitment": commitment, "generation": generation.hex(), "time": time,
            "tlvs": parse_tlvs(content[82:], bad)}


# ---- section 4: tail ------------------------------------------------------------------------------------------------
def header_and_keys(R, kind, part, salt):
    head = b"SGT1" + struct.pack(">BBH", 1, kind, part) + salt
    keys = expand(R, "sealgate/v1/segment", head, 76)
    return head + keys[44:], keys[:32], int.from_bytes(keys[32:44], "big")


def open_chunk(key, base, i, sealed, layer):
    return open_gcm(key, (base ^ i).to_bytes(12, "big"), sealed, None, layer, f"chunk {i}")


def read_at(body, offset, n):
    body.seek(offset)
    return body.read(n)


def check_checksum(flagged, algorithm, value, bad):
    n = SUM_BYTES.get(algorithm, 0)
    need(value[n if flagged else 0:] == bytes(64 - (n if flagged else 0)), bad, "checksum is not zero-filled")
    need(not flagged or algorithm, bad, "checksum without an algorithm")


def read_tail(body, s, R, whole_pad=False):
    """Trailer, tail, record, and the pad as far as the last bytes show it: what section 4 demands without data segments."""
    bad = "tail failure"
    foot_length, offset, magic = struct.unpack(">H6s8s", read_at(body, s - 16, 16))
    offset, tail_end = int.from_bytes(offset, "big"), s - 16 - foot_length
    need(magic == b"SGT1TAIL" and foot_length <= 2048 and offset + H + T <= tail_end, bad, "trailer")
    length = g_inverse(tail_end - offset - H)
    need(length is not None and length <= 160 + 4098 + 1200000, bad, "length of the tail")
    stored = read_at(body, offset, tail_end - offset)
    header, key, base = header_and_keys(R, 3, 0, stored[8:32])
    need(stored[:8] == header[:8], bad, "header of the tail")
    need(hmac.compare_digest(header, stored[:H]), "commitment failure", "header of the tail")
    chunks = [stored[at:at + C + T] for at in range(H, len(stored), C + T)]
    record = b"".join(open_chunk(key, base, i, chunk, bad) for i, chunk in enumerate(chunks))
    tail = parse_record(record)
    need(S(tail["P"]) == s, "size mismatch", "the record's P is not that of the stored size")
    need(tail["offset"] == offset, bad, "the tail is not where its record says")
    need(bool(tail["flags"] & 8) == bool(foot_length), bad, "foot flag")
    at = sum(H + g(p) for _, _, p, _ in tail["segments"])
    need(at <= offset, bad, "segments run into the tail")
    in_sight = s - min(s, 2128 + g(4258 + 120 * (u(tail["P"]) + 1)))
    for at in range(at if whole_pad else max(at, in_sight), offset, 1 << 20):
        need(not any(read_at(body, at, min(1 << 20, offset - at))), bad, "pad is not zero")
    return tail


def parse_record(record):
    bad = "tail failure"
    need(len(record) >= 160, bad, "record is short")
    version, kind, flags, N, P, offset, md5, algorithm, ctype, part, checksum, salt, generation, time, zero = struct.unpack(
        ">BBHIQQ16sBBH64s24s8sQ12s", record[:160])
    need(version == 1 and kind in (1, 2) and flags < 16 and 1 <= N <= 10000 and zero == bytes(12), bad, "form of the record")
    need(algorithm in SUM_BYTES and ctype < 2 and (algorithm or not ctype), bad, "checksum algorithm or type")
    check_checksum(flags & 2, algorithm, checksum, bad)
    need(flags & 1 or md5 == bytes(16), bad, "MD5 without its flag")
    need((1 <= part <= 10000) if N == 1 and kind == 2 else part == 0, bad, "part number")
    need(N == 1 or salt == bytes(24), bad, "salt")
    at, area = 160, b""
    if P >= D:
        need(len(record) >= 162, bad, "area")
        length = struct.unpack_from(">H", record, 160)[0]
        at, area = 162 + length, record[162:162 + length]
        need(length in range(40, 4097) or length == 0, bad, "area")
        need(len(area) == length, bad, "area")
    need(P >= D or not flags & 12, bad, "area or foot below D")
    need(bool(area) == bool(flags & 4), bad, "area flag")
    need(len(record) == at + (120 * N if N > 1 else 0), bad, "length of the record")
    segments = [(1 if kind == 1 else 2, part, P, salt)] if N == 1 else []       # (type, part, bytes, salt)
    for i in range(N if N > 1 else 0):
        part, eflags, gap, p, salt, md5, checksum = struct.unpack_from(">HHIQ24s16s64s", record, at + 120 * i)
        need(eflags < 4 and gap == 0 and (eflags & 1 or md5 == bytes(16)), bad, "form of an entry")
        check_checksum(eflags & 2, algorithm, checksum, bad)
        need(kind == 2 or eflags == 0 and part == i + 1, bad, "entry of a PUT")
        need(1 <= part <= 10000 and (not segments or part > segments[-1][1]), bad, "order of parts")
        need(p >= D or i == N - 1, bad, "a segment below D that is not the last")
        segments.append((2, part, p, salt))
    need(sum(p for _, _, p, _ in segments) == P, bad, "sum of the segments")
    return {"kind": kind, "flags": flags, "P": P, "offset": offset, "segments": segments, "area": area}


def open_area(R, area):
    bad = "tail failure"
    return parse_tlvs(open_seal(R, "sealgate/v1/area", b"", area, bad, "area"), bad)
