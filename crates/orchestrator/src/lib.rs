//! The orchestrator: a Lambda function that takes Kinesis events, lands their rows in S3, has them upserted
//! into Snowflake, and puts poison among the dead letters.
//!
//! [`handler::handle`] is the story; [`ports`] are its effects.

pub mod config;
pub mod error;
mod function;
pub mod handler;
pub mod memory;
pub mod ports;
mod upsert_function;

pub use function::{run, run_with};
pub use upsert_function::UpsertFunction;
