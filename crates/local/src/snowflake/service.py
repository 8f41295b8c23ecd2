"""The HTTP service: fakesnow's routes, with what they leave out of Snowflake's protocol and of its behaviour.

That is query ids, rows as JSON, one lock a table, cancelling, and statement time-outs.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import importlib
import json
import re
import uuid
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# By its full name: as an attribute of the package, `server` is a function.
server = importlib.import_module("fakesnow.server")

MAX_LOCK_WAITERS = 20
NANOS = 1_000_000_000
NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
# Only the head of a statement is looked at: parsing 900 KB a second time would cost more than running it.
BLANK = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
DDL = re.compile(rf"{BLANK}(CREATE|ALTER|DROP|COMMENT)\b", re.IGNORECASE | re.DOTALL)
HEAD = re.compile(
    rf"{BLANK}"
    r"(MERGE\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?(?:\s+IF\s+EXISTS)?|COPY\s+INTO|ALTER\s+TABLE)"
    rf"\s+({NAME}(?:\s*\.\s*{NAME}){{0,2}})",
    re.IGNORECASE | re.DOTALL,
)


class SqlError(Exception):
    """An error as Snowflake reports it."""

    def __init__(self, code: str, sql_state: str, message: str) -> None:
        super().__init__(message)
        self.code, self.sql_state, self.message = code, sql_state, message


class TableLock(asyncio.Lock):
    """A lock that knows how many wait for it."""

    waiting = 0


class Statement:
    """A statement from its arrival to its answer: what `abort-request` and a time-out act upon."""

    def __init__(self, connection: Any) -> None:
        self.query_id = str(uuid.uuid4())
        self.error: SqlError | None = None
        self._duckdb = connection and connection._duck_conn
        self._acquiring: asyncio.Future[Any] | None = None
        self._running = False

    @contextlib.asynccontextmanager
    async def holding(self, lock: TableLock, table: str, max_waiters: int | None = None) -> AsyncIterator[None]:
        if max_waiters is not None and lock.waiting >= max_waiters:
            raise SqlError("000625", "57014", (
                f"Statement '{uuid.uuid4()}' has locked table '{table}' in transaction 1 and this lock has not yet "
                f"been released.\nYour statement '{self.query_id}' was aborted because the number of waiters for this "
                f"lock exceeds the {max_waiters} statements limit."))  # fmt: skip
        lock.waiting += lock.locked()
        counted = lock.locked()
        self._acquiring = asyncio.ensure_future(lock.acquire())
        try:
            await self._acquiring
        except asyncio.CancelledError:
            raise self.error or asyncio.CancelledError from None
        finally:
            lock.waiting -= counted
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        if self.error:
            raise self.error
        self._running = True
        try:
            yield
        finally:
            self._running = False

    def cancel(self, error: SqlError) -> None:
        self.error = error
        if self._acquiring and not self._acquiring.done():
            self._acquiring.cancel()
        self._interrupt()

    def _interrupt(self) -> None:
        # fakesnow makes several DuckDB statements of one, and an interrupt between two of them is lost: so repeat it.
        if self._running:
            self._duckdb.interrupt()
            asyncio.get_running_loop().call_later(0.05, self._interrupt)


table_locks: defaultdict[str, TableLock] = defaultdict(TableLock)
session_locks: defaultdict[str, TableLock] = defaultdict(TableLock)
session_timeouts: dict[str, int] = {}
statements: dict[str, Statement] = {}


def fixed_point(nanos: int) -> str:
    return f"{'-' if nanos < 0 else ''}{abs(nanos) // NANOS}.{abs(nanos) % NANOS:09d}"


def cell(value: Any, sf_type: str) -> str | None:
    """A value as Snowflake writes it in a JSON rowset."""
    match value:
        # NULL; a timestamp's comes as a struct of them.
        case None | {"epoch": None}:
            return None
        case bool():
            return "1" if value else "0"
        case {"epoch": epoch, "fraction": fraction}:
            zone = f" {value['timezone']}" if "timezone" in value else ""
            return fixed_point(epoch * NANOS + fraction) + zone
        case int() if sf_type == "time":
            return fixed_point(value)
        case Decimal():
            return format(value, "f")
        case date():
            return str((value - date(1970, 1, 1)).days)
        case bytes():
            return value.hex().upper()
        case _:
            return str(value)


def with_json_rows(data: dict[str, Any]) -> dict[str, Any]:
    """The same answer with its rows as JSON, which every client reads; snowflake-connector-rs reads nothing else."""
    if "rowsetBase64" in data:
        rows: list[list[str | None]] = []
        if encoded := data.pop("rowsetBase64"):
            table = pyarrow.ipc.open_stream(b64decode(encoded)).read_all()
            columns = (
                [cell(value, column["type"]) for value in values.to_pylist()]
                for values, column in zip(table.columns, data["rowtype"], strict=True)
            )
            rows = [list(row) for row in zip(*columns, strict=True)]
        data |= {"queryResultFormat": "json", "rowset": rows}
    return data | {"returned": len(data.get("rowset", []))}


def failure(error: SqlError, query_id: str) -> JSONResponse:
    data = {"errorCode": error.code, "sqlState": error.sql_state, "queryId": query_id}
    return JSONResponse({"data": data, "code": error.code, "message": error.message, "success": False})


async def json_body(request: Request) -> dict[str, Any]:
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)


def session_of(request: Request) -> str:
    return request.headers.get("Authorization", "")[len('Snowflake Token="') : -1]


def locks_of(sql: str, connection: Any) -> list[tuple[str, int | None]]:
    """The locks that a statement takes, in the order in which it takes them, and how many may wait for each."""
    # Two that create the same thing if it does not exist: on Snowflake both succeed, in DuckDB the second fails.
    locks: list[tuple[str, int | None]] = [("DDL", None)] if DDL.match(sql) else []
    if not connection or not (head := HEAD.match(sql)):
        return locks
    parts = [p[1:-1].replace('""', '"') if p[0] == '"' else p.upper() for p in re.findall(NAME, head[2])]
    table = ".".join([connection.database or "", connection.schema or ""][: 3 - len(parts)] + parts)
    match head[1][0].upper():
        # COPYs run beside a MERGE, but not beside each other: two of the same file would both find it not yet loaded.
        case "C":
            return [*locks, (f"COPY {table}", None)]
        # DuckDB fails whatever writes to a table while it is altered, where Snowflake lets it wait.
        case "A":
            return [*locks, (table, None), (f"COPY {table}", None)]
        case _:
            return [*locks, (table, MAX_LOCK_WAITERS)]


async def query(request: Request) -> Response:
    body, session = await json_body(request), session_of(request)
    connection = server.sessions.get(session)
    statement = Statement(connection)
    parameters = body.get("parameters") or {}
    seconds = int(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", session_timeouts.get(session, 0)))
    request_id = request.query_params.get("requestId", statement.query_id)
    statements[request_id] = statement
    timer = seconds and asyncio.get_running_loop().call_later(seconds, statement.cancel, SqlError("000630", "57014", (
        f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled.")))  # fmt: skip
    try:
        async with contextlib.AsyncExitStack() as held:
            # A client that gave up on a statement may send the next while the first still runs, on one DuckDB cursor.
            await held.enter_async_context(statement.holding(session_locks[session], "session"))
            for name, max_waiters in locks_of(body["sqlText"], connection):
                await held.enter_async_context(statement.holding(table_locks[name], name, max_waiters))
            with statement.running():
                response = await server.query_request(request)
    except SqlError as error:
        return failure(error, statement.query_id)
    finally:
        statements.pop(request_id, None)
        if timer:
            timer.cancel()
    answer = json.loads(response.body)
    if not answer["success"]:
        if statement.error and answer["code"] == "000604":
            return failure(statement.error, statement.query_id)
        answer["data"] = {**(answer["data"] or {}), "queryId": statement.query_id}
        # The connector's own exceptions, which fakesnow raises, put code and SQLSTATE before the message.
        answer["message"] = re.sub(r"^\d{6} \(\w{5}\): ", "", answer["message"])
        # Also a session that is gone is HTTP 200 on Snowflake; clients look at the code.
        return JSONResponse(answer)
    answer["data"] = with_json_rows({"queryId": statement.query_id} | answer["data"])
    return JSONResponse(answer)


def canceled() -> SqlError:
    return SqlError("000604", "57014", "SQL execution canceled")


async def abort(request: Request) -> Response:
    body = await json_body(request)
    if statement := statements.get(body.get("requestId", "")):
        statement.cancel(canceled())
    return JSONResponse({"data": None, "code": None, "message": None, "success": True})


def cancel_all() -> None:
    for statement in list(statements.values()):
        statement.cancel(canceled())


async def login(request: Request) -> Response:
    body = await json_body(request)
    parameters = body["data"].setdefault("SESSION_PARAMETERS", {})
    headers = [header for header in request.scope["headers"] if header[0] != b"content-encoding"]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode()}

    answer = json.loads((await server.login_request(Request({**request.scope, "headers": headers}, receive))).body)
    data, asked = answer["data"], request.query_params
    session_timeouts[data["token"]] = int(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", 0))
    data |= {
        "sessionId": len(server.sessions),
        "masterToken": data["token"],
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14400,
        "displayUserName": body["data"].get("LOGIN_NAME", ""),
    }
    data["sessionInfo"] |= {"warehouseName": asked.get("warehouse"), "roleName": asked.get("roleName", "PUBLIC")}
    return JSONResponse(answer)


def application() -> Starlette:
    own = {"/session/v1/login-request": login, "/queries/v1/query-request": query, "/queries/v1/abort-request": abort}
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in own.items()]
    return Starlette(routes=routes + [route for route in server.routes if route.path not in own])
