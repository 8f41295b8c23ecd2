//! Looks at what the run left: objects, rows, and where to find them.

use std::path::PathBuf;

use landfall_local::files;
use landfall_local::stack::{BUCKET, Stack};
use landfall_snowflake::{Session, Table, ddl};

use crate::at_hand::StackOptions;
use crate::console::{program, shell_word};
use crate::table::markdown;

/// The objects of the landing zone.
pub(super) fn objects(stack: &Stack) -> std::io::Result<Vec<PathBuf>> {
    files::below(&stack.bucket_dir(BUCKET).join(&stack.pipeline.landing.prefix))
}

/// The validation query and five sample rows, run through SQL.
pub(super) async fn show(session: &Session, stack: &Stack) -> anyhow::Result<String> {
    let validation = session.query(&ddl::validation_query(&stack.pipeline), &[]).await?;
    let sample = session.query(&ddl::sample_query(&stack.pipeline, 5), &[]).await?;
    Ok(format!("{}\n\nThe last five rows, through SQL:\n\n{}\n", text(&validation), text(&sample)))
}

/// A table that is not wider than most terminals.
fn text(table: &Table) -> String {
    let columns = table.columns.iter().map(|name| name.strip_prefix("KINESIS_").unwrap_or(name).to_owned());
    let row = |row: &Vec<Option<String>>| row.iter().map(|cell| cell.as_deref().map(shortened)).collect();
    let rows = table.rows.iter().map(row);
    markdown(&Table { columns: columns.collect(), kinds: table.kinds.clone(), rows: rows.collect() })
}

/// A sequence number's middle says nothing to a person.
fn shortened(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 32 {
        return text.to_owned();
    }
    let (head, tail) = (&chars[..14], &chars[chars.len() - 6..]);
    format!("{}…{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

/// What to look at next.
pub(super) fn where_to_look(stack: &Stack, options: &StackOptions) -> String {
    let dir = &options.dir;
    let bucket = dir.join("s3").join(BUCKET);
    let landing = &stack.pipeline.landing;
    let landfall = program();
    let pipeline =
        options.pipeline.as_deref().map(|path| format!(" --pipeline {}", shell_word(path))).unwrap_or_default();
    format!(
        "Where to look:\n  CSV objects   {}\n  dead letters  {}\n  logs          {}\n\nNext: {landfall} demo{pipeline} \
         --poison 0.01 --keep, or {landfall} dev{pipeline}",
        bucket.join(&landing.prefix).display(),
        bucket.join(&landing.dead_letter_prefix).display(),
        dir.join("logs").display(),
    )
}
