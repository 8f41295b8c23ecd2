//! Upsert: a Lambda function that merges rows into the staging table, each position once.
//!
//! [`handler::handle`] is the story; [`ports`] are its effects. Only the orchestrator invokes it; their contract
//! is [`landfall_core::upsert`].

pub mod config;
pub mod error;
mod function;
pub mod handler;
pub mod memory;
pub mod ports;
mod private_key;
mod secret;
mod snowflake;

pub use function::{run, run_with, session};
pub use snowflake::Snowflake;
