"""Repairs to fakesnow: where it loses rows, reads other values than Snowflake does, or hides an error."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from glob import escape as glob_escape
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.cursor
import pyarrow
import snowflake.connector.errors as sf_errors
from fakesnow import info_schema
from fakesnow.copy_into import ReadCSV
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import GLOBAL_DATABASE_NAME, FakeSnow
from fakesnow.transforms import show
from sqlglot import Expr, exp
from sqlglot.errors import TokenError

RESULTS_KEPT = 64
TRANSLATIONS_KEPT = 16
MAX_LINE_BYTES = 32 * 1024 * 1024
# How many columns a file may have beyond the table's, which Snowflake ignores when told not to mind.
SPARE_COLUMNS = 32
TRANSACTIONAL = re.compile(r"\s*(?:MERGE|COPY)\s+INTO\b", re.IGNORECASE)
MERGE = re.compile(r"\s*MERGE\s+INTO\b", re.IGNORECASE)
CREATE_TABLE = re.compile(r"\s*CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE)
# What DuckDB does anyway, by fakesnow's reckoning an option that it does not know.
AS_DUCKDB_DOES = {"ESCAPE": "NONE", "TRIM_SPACE": False, "ERROR_ON_COLUMN_COUNT_MISMATCH": False}

# Errors that are no fault of fakesnow's, with Snowflake's code and SQLSTATE for them.
SNOWFLAKE_CODES: list[tuple[type[Exception], str, int, str]] = [
    (TokenError, "", 1003, "42000"),
    (duckdb.InterruptException, "", 604, "57014"),
    (duckdb.ConstraintException, "NOT NULL", 100072, "22000"),
    (duckdb.IOException, "No files found", 91016, "22000"),
    (duckdb.InvalidInputException, "CSV Error", 100016, "22000"),
    (duckdb.InvalidInputException, "Malformed JSON", 100069, "22P02"),
    (duckdb.OutOfRangeException, "", 100132, "22003"),
]

# By its full name: as an attribute of the package it may be a function.
fakesnow_copy = importlib.import_module("fakesnow.copy_into")
original_copy_into, original_handle_csv = fakesnow_copy.copy_into, fakesnow_copy.handle_csv
target = threading.local()


def reads_as_sql_error(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives what fakesnow does not expect the code that it would get, and the message that it would not.

    fakesnow answers these with HTTP 500 and the statement instead of the cause; the Python connector retries a 500.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (sf_errors.ProgrammingError, sf_errors.OperationalError):
            raise
        except Exception as error:
            for kind, words, errno, sql_state in SNOWFLAKE_CODES:
                if isinstance(error, kind) and words in str(error):
                    raise sf_errors.ProgrammingError(msg=str(error)[:2000], errno=errno, sqlstate=sql_state) from None
            message = f"fakesnow cannot run this: {type(error).__name__}: {str(error)[:2000]}"
            raise sf_errors.ProgrammingError(msg=message, errno=261000, sqlstate="XX000") from error

    return wrapped


def atomic(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Makes MERGE and COPY one transaction, as on Snowflake.

    fakesnow runs them as several statements. Left so, a bad second file in a COPY would leave the rows of the first
    without an entry in the load history, and the next COPY would load it again.
    """

    @functools.wraps(execute)
    def wrapped(self: FakeSnowflakeCursor, command: str, *args: Any, **kwargs: Any) -> Any:
        if not TRANSACTIONAL.match(command):
            return execute(self, command, *args, **kwargs)
        connection = self._duck_conn
        try:
            connection.begin()
        except duckdb.TransactionException:  # the client opened one
            return execute(self, command, *args, **kwargs)
        try:
            result = execute(self, command, *args, **kwargs)
            connection.commit()
            return result
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                connection.rollback()
            raise

    return wrapped


def keeps_load_history(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Makes CREATE TABLE IF NOT EXISTS leave an existing table alone.

    fakesnow empties the table's load history, as if it were new: the next COPY would load every object again.
    """

    @functools.wraps(execute)
    def wrapped(self: FakeSnowflakeCursor, command: str, *args: Any, **kwargs: Any) -> Any:
        if CREATE_TABLE.match(command):
            table = fakesnow.cursor.parse_one(command).find(exp.Table)
            names = [part.name if part.args.get("quoted") else part.name.upper() for part in table.parts]
            where = [self._conn.database, self._conn.schema][: 3 - len(names)] + names
            found = "SELECT 1 FROM duckdb_tables() WHERE (database_name, schema_name, table_name) = (?, ?, ?)"
            if self._duck_conn.execute(found, where).fetchone():
                name = names[-1].replace("'", "''")
                command = f"SELECT '{name} already exists, statement succeeded.' AS \"status\""
        return execute(self, command, *args, **kwargs)

    return wrapped


def translates_once(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps what fakesnow makes of a MERGE: upsert sends one text again and again, with other rows bound to it.

    Translating it takes several times as long as running it.
    """
    translated: OrderedDict[tuple[str, ...], list[tuple[Expr, bool]]] = OrderedDict()

    @functools.wraps(execute)
    def wrapped(self: FakeSnowflakeCursor, command: str, *args: Any, **kwargs: Any) -> Any:
        bound = kwargs.get("binding_params")
        if not bound or not MERGE.match(command):
            return execute(self, command, *args, **kwargs)
        key = (command, self._conn.database, self._conn.schema)
        if key not in translated:
            expression = fakesnow.cursor.parse_one(command)
            self.check_db_and_schema(expression)
            parts = [self._transform(part, list(bound)) for part in self._transform_explode(expression)]
            translated[key] = [(part, part.find(exp.Placeholder) is not None) for part in parts]
            while len(translated) > TRANSLATIONS_KEPT:
                translated.popitem(last=False)
        self._sqlstate = None
        for part, takes_params in translated[key]:
            self._execute(part, list(bound) if takes_params else None)
        return self

    return wrapped


def omits_scratch_table(insert_sql: Callable[..., str]) -> Callable[..., str]:
    """Leaves the scratch table of a MERGE out of the catalogue.

    That is another database file, which one transaction cannot write beside the table's own, and two MERGEs at once
    would conflict over the entry.
    """

    @functools.wraps(insert_sql)
    def wrapped(catalog: str, schema: str, table: str, *rest: Any) -> str:
        return "SELECT 1" if table.upper() == "MERGE_CANDIDATES" else insert_sql(catalog, schema, table, *rest)

    return wrapped


def copy_into(
    duck_conn: duckdb.DuckDBPyConnection,
    database: str,
    schema: str,
    copy: exp.Copy,
    stages: Any,
    params: Any = None,
) -> str:
    """fakesnow's COPY, knowing how many columns it loads, so that DuckDB need not guess from the file.

    Named CSV files are read together: fakesnow reads them one by one, ten times as slowly.
    """
    columns = copy.this.expressions
    table = copy.this.this if columns else copy.this
    described = columns or duck_conn.execute(f"DESCRIBE {table.sql(dialect='duckdb')}").fetchall()
    target.n_columns, target.lenient = len(described), False
    options = fakesnow_copy._params(
        copy, params, duck_conn=duck_conn, current_database=database, current_schema=schema
    )
    source = copy.args["files"][0].this
    together = isinstance(options.file_format, ReadCSV) and isinstance(source, (exp.Var, exp.Literal))
    if not together or columns or not options.files or options.force or options.purge:
        return original_copy_into(duck_conn, database, schema, copy, stages, params)
    url = fakesnow_copy._from_source(copy)
    if url.startswith("@"):
        url = fakesnow_copy.stage_url_from_var(url[1:], duck_conn, database, schema, stages, table)
    urls = list(dict.fromkeys(fakesnow_copy._source_urls(url, options.files)))
    try:
        return load_together(duck_conn, table, table.db or schema, options.file_format, urls)
    except duckdb.ConversionException as error:
        raise sf_errors.ProgrammingError(msg=error.args[0], errno=100038, sqlstate="22018") from None


def read_together(duck_conn: duckdb.DuckDBPyConnection, reader: ReadCSV, urls: list[str]) -> pyarrow.Table:
    """All rows of the files as text, each with its file's name first.

    Read on a connection of its own: an error would end the transaction of the other. Padding short rows takes three
    quarters of the time, so it is done only where a row is not as long as the table is wide.
    """
    lenient = target.lenient
    for target.lenient in [False, True] if lenient else [False]:
        read = reader.read_expression(urls).sql("duckdb")[1:-1]
        try:
            named = read.replace("SELECT ", "SELECT filename AS name, ", 1)
            return duck_conn.cursor().execute(named).to_arrow_table()
        except duckdb.InvalidInputException:
            if target.lenient == lenient:
                raise
    raise AssertionError("one of both has returned or raised")


def history_name(url: str) -> str:
    """A file as the load history knows it: by its way from the databases, so that both may be moved together."""
    return os.path.relpath(url.removeprefix("file://")) if url.startswith("file:///") else url


def load_together(
    duck_conn: duckdb.DuckDBPyConnection, table: exp.Table, schema: str, reader: ReadCSV, urls: list[str]
) -> str:
    """Loads those of the files that were not loaded before. The SQL that it returns has been run: a row a file."""
    history = "_fs_information_schema._fs_load_history"
    seen = f"SELECT FILE_NAME FROM {history} WHERE TABLE_NAME = ? AND SCHEMA_NAME = ? AND list_contains(?, FILE_NAME)"
    known_as = {url: history_name(url) for url in urls}
    known = {name for (name,) in duck_conn.execute(seen, [table.name, schema, list(known_as.values())]).fetchall()}
    loaded = {url for url in urls if known_as[url] in known}
    counts: dict[str, int] = {}
    if new := [url for url in urls if url not in loaded]:
        rows = read_together(duck_conn, reader, new)
        names = Counter(rows.column("name").to_pylist())
        counts = {url: names[url.removeprefix("file://")] + names[url] for url in new}
        duck_conn.register("files_read", rows.drop_columns(["name"]))
        duck_conn.execute(f"INSERT INTO {table.sql(dialect='duckdb')} SELECT * FROM files_read")
        duck_conn.unregister("files_read")
        n_rows = [counts[url] for url in new]
        duck_conn.execute(
            f"INSERT INTO {history} SELECT ?, unnest(?), ?, current_timestamp, 'LOADED', unnest(?), unnest(?), "
            "NULL, NULL, NULL, NULL, 0, 1",
            [schema, [known_as[url] for url in new], table.name, n_rows, n_rows],
        )
    rows = ", ".join(
        f"({exp.Literal.string(url).sql('duckdb')}, 'LOAD_SKIPPED', 0, 0, NULL, 1, 'File was loaded before.')"
        if url in loaded
        else f"({exp.Literal.string(url).sql('duckdb')}, 'LOADED', {counts.get(url, 0)}, {counts.get(url, 0)}, 1, 0, NULL)"
        for url in urls
    )
    columns = "file, status, rows_parsed, rows_loaded, error_limit, errors_seen, first_error"
    sql = f"SELECT * FROM (VALUES {rows}) t({columns})"
    duck_conn.execute(sql)
    return sql


def handle_csv(options: dict[str, Any]) -> ReadCSV:
    known = {name: value for name, value in options.items() if AS_DUCKDB_DOES.get(name) != value}
    reader = original_handle_csv(known)
    target.lenient = options.get("ERROR_ON_COLUMN_COUNT_MISMATCH") is False
    return reader


def read_expression(self: ReadCSV, url: str | list[str]) -> Expr:
    """The file, or files, as Snowflake reads it: nothing is guessed from its content or from its name.

    DuckDB would take `sensor=6` in a directory's name for a column, `*` and `?` in a file's for a pattern, and fail on
    a carriage return in a quoted value. Told not to, it also tells `""` from an empty field, which is NULL.
    """
    n_read = target.n_columns + (SPARE_COLUMNS if target.lenient else 0)
    columns = ", ".join(f"column{i}: 'VARCHAR'" for i in range(n_read))
    paths = ", ".join(exp.Literal.string(glob_escape(one)).sql("duckdb") for one in [url] * isinstance(url, str) or url)
    null_values = self.null_if or []
    settings = [
        f"[{paths}]",
        "auto_detect=false, header=false, new_line='\\n', hive_partitioning=false",
        f"columns={{{columns}}}",
        f"max_line_size={MAX_LINE_BYTES}",
        f"skip={self.skip_header}",
        f"delim={exp.Literal.string(self.sep).sql('duckdb')}",
        f"quote={exp.Literal.string(self.quote or '').sql('duckdb')}",
        f"escape={exp.Literal.string(self.quote or '').sql('duckdb')}",
        f"nullstr={exp.array(*map(exp.Literal.string, null_values)).sql('duckdb')}",
        f"allow_quoted_nulls={str(null_values != ['']).lower()}",
    ]
    if self.compression:
        settings.append(f"compression='{self.compression}'")
    settings.append(f"null_padding={str(target.lenient).lower()}, parallel=false")
    names = ", ".join(f"column{i}" for i in range(target.n_columns))
    return exp.var(f"(SELECT {names} FROM read_csv({', '.join(settings)}))")


class Results(OrderedDict[str, Any]):
    """The last results, for RESULT_SCAN. fakesnow would keep every result, with its bound values, for ever."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > RESULTS_KEPT:
            self.popitem(last=False)


def repair() -> None:
    server = importlib.import_module("fakesnow.server")
    execute = keeps_load_history(atomic(translates_once(FakeSnowflakeCursor.execute)))
    FakeSnowflakeCursor.execute = reads_as_sql_error(execute)
    server.parse_one = reads_as_sql_error(server.parse_one)
    server.describe_as_rowtype = reads_as_sql_error(server.describe_as_rowtype)
    info_schema.insert_table_comment_sql = omits_scratch_table(info_schema.insert_table_comment_sql)
    info_schema.insert_text_lengths_sql = omits_scratch_table(info_schema.insert_text_lengths_sql)
    # It would have every SUM and AVG go through a double, that of decimals too.
    fakesnow.cursor.transforms.numeric_agg_implicit_cast = lambda expression: expression
    fakesnow.cursor.copy_into = copy_into
    fakesnow_copy.handle_csv = handle_csv
    ReadCSV.read_expression = read_expression


def open_databases(directory: Path) -> FakeSnow:
    """fakesnow over the databases of a directory: those that earlier runs left there, and the ones to come."""
    # fakesnow pastes the path into its SQL unquoted, so it gets one that needs no quotes.
    os.chdir(directory)
    # ALTER SESSION SET QUERY_TAG and its like change nothing here; AUTOCOMMIT is the one that fakesnow knows.
    fs = FakeSnow(db_path=".", nop_regexes=[r"\s*ALTER\s+SESSION\s(?!.*AUTOCOMMIT)"])
    fs.results_cache = Results()
    # Stages and file formats live in a database of their own, which fakesnow would keep in memory.
    fs.duck_conn.execute(f"DETACH {GLOBAL_DATABASE_NAME}; ATTACH 'global.duckdb' AS {GLOBAL_DATABASE_NAME}")
    fs.duck_conn.execute(info_schema.fs_global_creation_sql())
    fs.duck_conn.execute(show.fs_global_creation_sql())
    for file in sorted(Path().glob("*.db")):
        fs.connect(file.stem).close()
    # Snowflake creates nothing at log-in: a name that DDL has not made is an error there.
    fs.create_database_on_connect = fs.create_schema_on_connect = False
    return fs
