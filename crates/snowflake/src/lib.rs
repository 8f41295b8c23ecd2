//! What Landfall says to Snowflake, and how it says it.
//!
//! [`sql`], [`mod@merge`], [`ddl`], [`schema_change`] and [`local`] are pure: a pipeline in, SQL text out.
//! [`provision`] brings an account to what these say. [`Session`] is the one place that does I/O: one log-in, lazily
//! made and shared, over `snowflake-connector-rs`.

mod cell;
pub mod ddl;
mod error;
pub mod key;
mod lex;
pub mod local;
pub mod merge;
pub mod provision;
pub mod schema_change;
mod session;
pub mod sql;
mod table;
#[cfg(test)]
mod testing;

pub use ddl::Script;
pub use error::{Cause, Fate, SessionError};
pub use merge::{MergeError, merge};
pub use session::{Config, Credentials, Means, Secret, Session};
pub use table::{Kind, Table};
