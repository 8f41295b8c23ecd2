//! The services of a laptop, each against a real client.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy exempts only functions marked #[test]"
)]

mod event_source_mapping;
mod function;
mod lambda;
mod lambda_faults;
mod lambda_sdk;
mod process;
mod proxy;
mod s3;
