//! The files that a command is given, or the ones that are built in.

use std::path::Path;

use crate::failure::Failure;

/// The sensor pipeline, as it stands in the repository's root.
const PIPELINE: &str = include_str!("../../../pipeline.toml");

/// The sensor record.
const TEMPLATE: &str = include_str!("../../../events/templates/sensor.json");

/// The text of a pipeline.toml.
pub(crate) fn pipeline(path: Option<&Path>) -> anyhow::Result<String> {
    read(path, PIPELINE, "--pipeline")
}

/// The text of a template.
pub(crate) fn template(path: Option<&Path>) -> anyhow::Result<String> {
    read(path, TEMPLATE, "--template")
}

fn read(path: Option<&Path>, built_in: &str, option: &str) -> anyhow::Result<String> {
    let Some(path) = path else { return Ok(built_in.to_owned()) };
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("failed to read {}: {error}", path.display());
        Failure { what, remedy: format!("give {option} the path of a file that can be read") }.into()
    })
}
