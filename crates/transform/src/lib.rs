//! The transform function: Firehose invokes it with what it has read of a Kinesis stream, and writes the CSV that it is
//! answered into the landing zone. Poison, and what no answer can hold, the function stores itself.
//!
//! [`handler::handle`] is the story; [`landfall_landing::ObjectStore`] is its one effect.

mod answering;
mod aside;
pub mod config;
pub mod error;
mod function;
pub mod handler;
pub mod memory;

pub use function::{run, run_with};
