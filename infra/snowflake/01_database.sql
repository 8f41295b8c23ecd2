-- The database and the schema of both staging tables.
--
-- May be run again at any time. Generated from pipeline.toml (sensors): change that, and then
-- LANDFALL_BLESS=1 cargo test -p landfall-snowflake

CREATE DATABASE IF NOT EXISTS "LANDFALL";

CREATE SCHEMA IF NOT EXISTS "LANDFALL"."STAGING";
