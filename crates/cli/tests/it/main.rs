//! The `landfall` binary as a person runs it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy exempts only functions marked #[test]"
)]

mod account;
mod apply;
mod aws;
mod check;
mod demo;
mod deployed;
mod dev;
mod doctor;
mod init;
mod messages;
mod names;
#[cfg(target_os = "linux")]
mod processes;
mod readme;
mod reconcile;
mod recovery;
mod replay;
mod rotate;
mod secrets;
mod snowflake;
mod sql;
mod support;
