"""Makes the seeds beside it: one small input of each kind. Python's standard library is enough."""

import gzip
import hashlib
from pathlib import Path

ARRAY, KEEP, REJECT, REDRIVEN, AGGREGATED, GZIP, ZSTD = (1 << n for n in range(7))
HERE = Path(__file__).parent
ROW = b'{"sensorId":6,"currentTemperature":64,"status":"OK"}'


def field(number, data):
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def user_record(key, data):
    return field(3, bytes([1 << 3, key]) + field(3, data))


def sealed(protobuf):
    return b"\xf3\x89\x9a\xc2" + protobuf + hashlib.md5(protobuf).digest()


def zipped(data):
    return gzip.compress(data, mtime=0)


# A raw block of its bytes, in a frame with a window of 1 KiB.
def zstd(data):
    return b"\x28\xb5\x2f\xfd\x00\x00" + (len(data) << 3 | 1).to_bytes(3, "little") + data


KEYS = field(1, b"A") + field(1, "Fühler".encode()) + field(2, b"340282366920938463463374607431768211455")
MANY = KEYS + user_record(0, ROW) + user_record(1, b"7 {") + user_record(0, b"") + user_record(1, zipped(ROW))

SEEDS = {
    "row": (0, ROW + b"\n"),
    "lines": (0, b"\xef\xbb\xbf" + ROW + b"\r\n" + ROW + b"\r\n\0"),
    "garbage": (0, ROW + ROW + b' 7 "x" nul'),
    "no_utf8": (0, ROW + b'{"status":"\xff"}'),
    "extra": (KEEP, b'{"sensorId":"6","a":{"b":[1,{"c":null}]},"\\u0061\\ud83d\\ude00":1.10}'),
    "reject": (REJECT, b'{"sensorId":6,"extra":1} {"sensorId":6,"sensorId":6}'),
    "array": (ARRAY, b'[' + ROW + b' , [1], "]"] {"sensorId":1e2} []'),
    "deep": (0, b'{"sensorId":1,"x":' + b"[" * 140 + b"]" * 140 + b"}"),
    "much_poison": (0, b"1 " * 40 + ROW),
    "redriven": (REDRIVEN, ROW + b"\n"),
    "redriven_many": (REDRIVEN, ROW + ROW),
    "redriven_gzip": (REDRIVEN | GZIP, ROW + ROW),
    "gzip": (GZIP, ROW + ROW),
    "gzip_as_it_is": (0, zipped(ROW) + zipped(b" {") + b"\0\0"),
    "gzip_cut": (0, zipped(ROW)[:-5]),
    "gzip_and_more": (0, zipped(ROW) + b"more"),
    "zstd": (ZSTD, ROW + ROW),
    "zstd_as_it_is": (0, zstd(ROW) + zstd(b" {")),
    "zstd_of_gzip": (ZSTD | GZIP, ROW),
    "aggregated": (AGGREGATED, MANY),
    "aggregated_as_it_is": (0, sealed(MANY)),
    "aggregated_bad_md5": (0, sealed(MANY)[:-1] + b"?"),
    "aggregated_bad_index": (AGGREGATED, KEYS + user_record(2, ROW)),
    "aggregated_in_gzip": (AGGREGATED | GZIP, MANY),
    "aggregated_in_zstd": (AGGREGATED | ZSTD | KEEP, MANY),
    "aggregated_much_poison": (AGGREGATED | ARRAY, KEYS + user_record(0, b"[1,2]") * 20),
}

for name, (options, data) in SEEDS.items():
    (HERE / f"{name}.bin").write_bytes(bytes([options]) + data)
