//! What Landfall does to a record, without doing anything else: bytes and values in, values out.
//!
//! No async, environment, clock, network or logging. The flow, in order: [`event`] (what Lambda receives; [`firehose`] by the other route) →
//! [`payload`] (a record's documents) → [`decode`](mod@decode) (typed rows, or poison) → [`landing`] (objects
//! and their keys), [`upsert`] (requests), [`dead_letter`] (poison with its reason). [`infer`](mod@infer) derives a
//! pipeline from sample documents; [`metrics`] names what is published of all this.

pub mod arrival;
pub mod cells;
pub mod config;
pub mod csv;
pub mod dead_letter;
pub mod decode;
pub mod document;
pub mod event;
pub mod firehose;
pub mod infer;
mod json;
pub mod landing;
pub mod metrics;
pub mod payload;
pub mod pipeline;
pub mod position;
pub mod row;
pub mod upsert;
mod value;

pub use arrival::ArrivedAt;
pub use cells::{Cell, Cells};
pub use dead_letter::{Poison, Stage};
pub use decode::{Batch, decode, decode_first, decode_user_record};
pub use document::Document;
pub use event::Record;
pub use infer::infer;
pub use pipeline::Pipeline;
pub use position::{Place, Position, SequenceNumber};
pub use row::{Row, RowError};

/// An error and all that caused it, in one line: what a boundary prints, once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The innermost cause of an error: the one line that says what happened, where a library wraps it in many.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod testing;
