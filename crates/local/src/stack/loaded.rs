//! What a stack that has stopped had loaded to the last object, so that the next one need not look at each again.

use std::io;
use std::path::Path;

use landfall_core::Pipeline;
use serde::{Deserialize, Serialize};

use crate::files;

/// There while no stack runs, and only after one that stopped with nothing left to load.
const FILE: &str = "loaded.json";

/// The objects that lie under a prefix, all of them in a table.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loaded {
    table: String,
    prefix: String,
    n_objects: usize,
}

impl Loaded {
    /// What a pipe that has loaded everything has loaded. `bucket` is the folder of its bucket.
    pub(super) fn everything(pipeline: &Pipeline, bucket: &Path) -> io::Result<Self> {
        let target = &pipeline.snowflake;
        let prefix = pipeline.landing.prefix.clone();
        let n_objects = files::below(&bucket.join(&prefix))?.len();
        Ok(Self {
            table: format!("{}.{}.{}", target.database, target.schema, target.microbatch_table),
            prefix,
            n_objects,
        })
    }

    /// What the last stack left word of; it is taken away, for it holds until something lands.
    pub(super) fn take(dir: &Path) -> Option<Self> {
        let file = dir.join(FILE);
        let text = std::fs::read_to_string(&file).ok()?;
        std::fs::remove_file(&file).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub(super) fn leave(&self, dir: &Path) -> io::Result<()> {
        std::fs::write(dir.join(FILE), serde_json::to_string(self)?)
    }
}
