//! The files that a command is given, or the ones that are built in.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use landfall_core::Pipeline;
use landfall_generator::Template;

use crate::failure::Failure;

/// The sensor pipeline, as it stands in the repository's root.
pub(crate) const PIPELINE: &str = include_str!("../../../pipeline.toml");

/// The sensor record.
const TEMPLATE: &str = include_str!("../../../events/templates/sensor.json");

/// Where a pipeline is looked for when none is named.
const DEFAULT: &str = "pipeline.toml";

/// A valid pipeline and where it was read.
#[derive(Debug, Clone)]
pub(crate) struct PipelineFile {
    /// `None` when it is the one that is built in.
    pub(crate) path: Option<PathBuf>,
    pub(crate) text: String,
    pub(crate) pipeline: Pipeline,
}

/// Reads the pipeline at `path`; without one, `pipeline.toml` in the current folder, or else the sensor pipeline.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<PipelineFile> {
    let path = path.map(Path::to_owned).or_else(|| Path::new(DEFAULT).exists().then(|| DEFAULT.into()));
    let text = match &path {
        Some(path) => read(path, "name a pipeline.toml that can be read; landfall init writes one")?,
        None => PIPELINE.to_owned(),
    };
    let pipeline = Pipeline::from_toml(&text)
        .with_context(|| format!("failed to use {}", path.as_deref().unwrap_or(Path::new(DEFAULT)).display()))?;
    Ok(PipelineFile { path, text, pipeline })
}

/// The template at `path`; without one, the sensor record, or for another pipeline a record that fits it.
pub(crate) fn template(path: Option<&Path>, pipeline: &Pipeline) -> anyhow::Result<Template> {
    let text = match path {
        Some(path) => read(path, "give --template the path of a file that can be read")?,
        None if Pipeline::from_toml(PIPELINE).as_ref() == Ok(pipeline) => TEMPLATE.to_owned(),
        None => return Ok(Template::for_pipeline(pipeline)),
    };
    Ok(Template::parse(&text)?)
}

fn read(path: &Path, remedy: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("failed to read {}: {error}", path.display());
        Failure { what, remedy: remedy.to_owned() }.into()
    })
}
