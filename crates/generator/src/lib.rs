//! Templates of the Kinesis Data Generator (KDG) → records, and records → poison.
//!
//! Pure but for a random source that a seed determines: a template and a seed give the same bytes, always and
//! everywhere. No record is known here: what one looks like stands in a template, such as
//! `events/templates/sensor.json`, or follows from the pipeline, as does what makes it poison.
//!
//! [`template_text`] writes a template that fits a pipeline → [`Template`] parses → [`Generator`] renders record after
//! record → [`Poisoner`] spoils some of them.
//!
//! Source: <https://awslabs.github.io/amazon-kinesis-data-generator/web/help.html>, and KDG's `producer.js` and
//! `faker.js` where the page is silent.

mod choice;
mod decimal;
mod edit;
mod error;
mod fitting;
mod generator;
mod helper;
mod json;
mod number;
mod parse;
mod poison;
mod random;
mod template;
mod values;

pub use error::{Place, TemplateError};
pub use fitting::template_text;
pub use generator::Generator;
pub use poison::{PoisonKind, Poisoner, Spoiled};
pub use template::Template;
