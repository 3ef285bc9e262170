"""A second verifier of Galen's ledger, written from the public formats alone (c2sp.org/tlog-tiles, c2sp.org/signed-note,
RFC 6962, RFC 8032). It shares no code with Galen and needs nothing but Python.

    python clients/verify_ledger.py FOLDER [--key NAME+ID+KEY]

Reads the newest checkpoint, checks its signature, hashes every entry, rebuilds the tree, compares every tile, and says what
it found. Without `--key` it believes the folder's own `log.key`, which proves only that the folder is consistent.
"""

import argparse
import base64
import hashlib
import pathlib
import sys

TILE = 256


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# Ed25519 verification (RFC 8032, section 5.1.7), plain and slow; one signature is checked per run.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y: int, sign: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    return P - x if x % 2 != sign else x


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    s, t = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    u, v = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(number: int, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point = add(point, point)
        number >>= 1
    return result


def decode_point(raw: bytes):
    value = int.from_bytes(raw, "little")
    y, sign = value & ((1 << 255) - 1), value >> 255
    x = recover_x(y, sign)
    return x, y, 1, x * y % P


def ed25519_verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        public, r = decode_point(key), decode_point(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    base_y = 4 * pow(5, P - 2, P) % P
    base_x = recover_x(base_y, 0)
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, (base_x, base_y, 1, base_x * base_y % P)), add(r, multiply(k, public))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def parse_key(text: str) -> tuple[str, bytes]:
    name, key_id, key = text.split("+", 2)
    raw = base64.b64decode(key, validate=True)
    if raw[0] != 1 or sha256(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise ValueError("the key is not an Ed25519 key of a signed note")
    return name, raw


def parse_checkpoint(note: str, key_text: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the key has signed."""
    name, key = parse_key(key_text)
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    if origin != name:
        raise ValueError(f"the checkpoint is of {origin}, not of {name}")
    if not signatures.endswith("\n"):
        raise ValueError("the checkpoint is cut short")
    for line in signatures[:-1].split("\n"):
        dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature, validate=True)
        known = dash == "\u2014" and signer == name and raw[:4] == sha256(name.encode() + b"\n" + key)[:4]
        if known and ed25519_verifies(key[1:], text.encode(), raw[4:]):
            return int(size), base64.b64decode(root, validate=True)
    raise ValueError("the checkpoint is not signed by the key")


def tile_path(level: str, number: int, width: int) -> str:
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03}")
    return f"tile/{level}/{'/'.join(parts)}" + ("" if width == TILE else f".p/{width}")


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1: the tree over hashes, the left side a power of two."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1" + root_of(hashes[:split]) + root_of(hashes[split:]))


def entries_of(bundle: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        entry = bundle[at + 2 : at + 2 + length]
        if len(entry) != length:
            raise ValueError(f"the bundle breaks at offset {at}")
        entries.append(entry)
        at += 2 + length
    return entries


def verify(folder: pathlib.Path, key: str | None = None) -> tuple[int, list[str]]:
    """The size of the newest checkpoint and what is wrong with the log, nothing if nothing."""
    wrong: list[str] = []
    note = (folder / "checkpoint").read_bytes().decode()
    claimed = (folder / "log.key").read_bytes().decode()
    if not claimed.endswith("\n") or (key and claimed != f"{key}\n"):
        raise ValueError("the folder's log.key is not the trusted key")
    size, root = parse_checkpoint(note, claimed[:-1])

    def read(level: str, number: int, width: int) -> bytes:
        return (folder / tile_path(level, number, width)).read_bytes()

    leaves: list[bytes] = []
    for number in range(-(-size // TILE)):
        width = min(TILE, size - number * TILE)
        try:
            entries = entries_of(read("entries", number, width))
            if len(entries) != width:
                raise ValueError(f"{len(entries)} entries instead of {width}")
            leaves += [sha256(b"\0" + entry) for entry in entries]
        except (OSError, ValueError) as error:
            return size, [*wrong, f"{tile_path('entries', number, width)}: {error}"]

    row, level = leaves, 0
    while row:
        for number in range(-(-len(row) // TILE)):
            mine = row[number * TILE : (number + 1) * TILE]
            try:
                theirs = read(str(level), number, len(mine))
            except OSError as error:
                wrong.append(f"{tile_path(str(level), number, len(mine))}: {error}")
                continue
            if theirs != b"".join(mine):
                at = next((at for at, (a, b) in enumerate(zip(b"".join(mine), theirs)) if a != b), min(len(theirs), 32 * len(mine)))
                first = (number * TILE + at // 32) * TILE**level
                wrong.append(f"{tile_path(str(level), number, len(mine))}, offset {at}: not the hash of entry {first} and following")
        row = [root_of(row[at : at + TILE]) for at in range(0, len(row) // TILE * TILE, TILE)]
        level += 1
    if root_of(leaves) != root:
        wrong.append("the entries do not give the root that was signed")
    return size, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--key", help="the verifier key, as NAME+ID+KEY; without it the folder's own is believed")
    arguments = parser.parse_args()
    try:
        size, wrong = verify(arguments.folder, arguments.key)
    except (OSError, ValueError) as error:
        print(f"the log cannot be verified: {error}", file=sys.stderr)
        return 1
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{size} entries, {'complete and unaltered' if not wrong else f'{len(wrong)} differences'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
