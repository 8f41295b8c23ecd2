//! The `landfall` binary as a person runs it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy exempts only functions marked #[test]"
)]

mod demo;
mod messages;
#[cfg(target_os = "linux")]
mod processes;
mod support;
