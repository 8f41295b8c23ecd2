"""Runs fakesnow, a local stand-in for Snowflake, as a child process of the local stack.

`python launcher.py --db-path DIR --key-file FILE` keeps its databases in DIR, prints one line of JSON with its port
once it answers, and stops when its stdin ends or on SIGTERM. What fakesnow lacks is added beside it: service.py holds
the protocol, the locks and the time-outs, repairs.py what it would get wrong inside a statement.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fakesnow.transforms import stage
from repairs import open_databases, repair
from service import application, cancel_all, server


def write_key(file: Path) -> None:
    """A private key for key-pair log-in. fakesnow lets anyone in, but the clients want to sign with something."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(key.private_bytes(encoding, form, serialization.NoEncryption()))


class Server(uvicorn.Server):
    """uvicorn that tells when it is ready, cancels what runs when it stops, and leaves signals to main."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cancel_all()
        await super().shutdown(sockets)

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:
        # uvicorn would raise the signal again at the end, before the databases are closed.
        return contextlib.nullcontext()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db-path", type=Path, required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    # The parent decides about Ctrl-C, which the terminal sends to the whole process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # stdout carries the port and nothing else, whatever a library prints.
    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in ("fakesnow.server", "sqlglot"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    if not arguments.key_file.exists():
        write_key(arguments.key_file)
    arguments.db_path.mkdir(parents=True, exist_ok=True)
    repair()
    fs = server.shared_fs = open_databases(arguments.db_path)
    listener = socket.create_server(("127.0.0.1", arguments.port))
    # Without it an answer of two packets waits 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        application(), log_config=None, log_level="error", access_log=False, timeout_graceful_shutdown=5
    )
    uvicorn_server = Server(config, ready=lambda: print(json.dumps({"port": port}), file=stdout, flush=True))

    def stop(*_: object) -> None:
        uvicorn_server.should_exit = True

    def stop_with_parent() -> None:
        while os.read(0, 4096):
            pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=stop_with_parent, daemon=True).start()
    uvicorn_server.run(sockets=[listener])
    # The last connection that closes writes DuckDB's log into its file.
    for connection in server.sessions.values():
        with contextlib.suppress(duckdb.Error):  # one that is still busy
            connection.close()
    fs.duck_conn.close()
    shutil.rmtree(stage.LOCAL_BUCKET_PATH, ignore_errors=True)
    # A thread may still be inside a statement; Python's own way out would complain about it at length.
    os._exit(0)


if __name__ == "__main__":
    main()
