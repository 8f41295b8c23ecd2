//! The whole system, end to end on the local stack; and what holds for the repository as a whole.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy exempts only functions marked #[test]"
)]

mod dead_letters;
mod events;
mod examples;
mod expected;
mod faults;
mod firehose;
mod kpl;
mod laws;
mod layouts;
mod limits;
mod logs;
mod metrics;
mod mistakes;
mod pipeline;
mod provision;
mod proxy;
mod python_client;
mod repeats;
mod samples;
mod schema_change;
mod secrets;
mod snowpipe;
mod storm;
mod support;
mod tidy;
mod time;
mod values;
