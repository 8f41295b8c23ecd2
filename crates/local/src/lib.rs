//! The services of a laptop: what Landfall talks to when it runs without an account.
//!
//! S3 over plain files ([`s3`]), Lambda over real child processes ([`lambda`]) and a Python environment for the
//! Snowflake stand-in ([`venv`]); and, for tests, a [`proxy`] that makes faults between them. Everything binds 127.0.0.1 and a port of the system's choosing, and stops with its
//! parent, also when that is killed ([`process`]).

pub mod event_source_mapping;
pub mod files;
pub mod firehose;
pub mod lambda;
pub mod process;
pub mod proxy;
pub mod s3;
pub mod shards;
pub mod snowflake;
pub mod snowpipe;
pub mod stack;
pub mod venv;
