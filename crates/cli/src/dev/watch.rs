//! Looks after a running stack: tells what Snowpipe could not load, and notices a changed pipeline.toml.

use std::path::Path;
use std::time::Duration;

use landfall_local::stack::Stack;
use landfall_snowflake::schema_change::{Deployed, plan};

use crate::console;
use crate::pipeline_file::{self, PipelineFile};

/// How often the file is looked at. An editor saves in less.
const INTERVAL: Duration = Duration::from_millis(500);

/// Waits until the pipeline's file holds another pipeline that the tables can take, and answers with that.
///
/// A change that cannot be taken is told, and the stack goes on as it was. `seen` is what stood in the file when it was
/// last looked at: the pipeline's text, or one that could not be taken.
pub(super) async fn changed(stack: &mut Stack, pipeline: &PipelineFile, seen: &str) -> PipelineFile {
    let mut seen = seen.to_owned();
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(load) = stack.loads.recv() => {
                if let Err(reason) = load.outcome {
                    console::print_note(&format!("Snowpipe could not load {}: {reason}", load.key));
                }
                continue;
            }
        }
        let Some(path) = &pipeline.path else { continue };
        // A file that was removed changes nothing; an editor may be about to put it back.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        if text == seen {
            continue;
        }
        seen = text;
        match taken_up(path, stack).await {
            // A comment, or the old text again.
            Ok(changed) if changed.pipeline == pipeline.pipeline => {}
            Ok(changed) => {
                console::print_note(&format!("{} has changed; starting anew with it", path.display()));
                return changed;
            }
            Err(error) => {
                console::print_failure(&error);
                console::print_note("the stack goes on as it was");
            }
        }
    }
}

/// The changed pipeline, if the tables can be made to fit it.
async fn taken_up(path: &Path, stack: &Stack) -> anyhow::Result<PipelineFile> {
    let changed = pipeline_file::load(Some(path))?;
    let session = stack.snowflake.session(&changed.pipeline)?;
    let deployed = Deployed::read(&session, &changed.pipeline).await?;
    plan(&changed.pipeline, &deployed)?;
    Ok(changed)
}
