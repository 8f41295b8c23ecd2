//! landfall-snowflake against a Snowflake of a few lines, and its checked-in SQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod deployed;
mod errors;
mod fake;
mod scripts;
mod session;
