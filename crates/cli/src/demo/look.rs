//! Looks at what the run left: objects, rows, and where to find them.

use std::path::{Path, PathBuf};

use comfy_table::{Table as TextTable, presets};
use landfall_local::stack::{BUCKET, Stack};
use landfall_snowflake::{Session, Table, ddl};

/// All files below a folder; none when there is no such folder.
pub(super) fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// The objects of the landing zone.
pub(super) fn objects(stack: &Stack) -> std::io::Result<Vec<PathBuf>> {
    files(&stack.bucket_dir(BUCKET).join(&stack.pipeline.landing.prefix))
}

/// The validation query and five sample rows, run through SQL.
pub(super) async fn show(session: &Session, stack: &Stack) -> anyhow::Result<String> {
    let validation = session.query(&ddl::validation_query(&stack.pipeline), &[]).await?;
    let sample = session.query(&ddl::sample_query(&stack.pipeline, 5), &[]).await?;
    Ok(format!("{}\n\nThe last five rows, through SQL:\n\n{}\n", text(&validation), text(&sample)))
}

fn text(table: &Table) -> TextTable {
    let mut text = TextTable::new();
    text.load_style(presets::ASCII_MARKDOWN);
    text.set_header(table.columns.iter().map(|name| name.strip_prefix("KINESIS_").unwrap_or(name)));
    for row in &table.rows {
        text.add_row(row.iter().map(|cell| cell.as_deref().map_or("NULL".to_owned(), shortened)));
    }
    text
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
pub(super) fn where_to_look(stack: &Stack, dir: &Path) -> String {
    let bucket = dir.join("s3").join(BUCKET);
    let landing = &stack.pipeline.landing;
    // cargo says so to what it runs; then `landfall` is on nobody's PATH yet.
    let from_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    let landfall = if from_cargo { "cargo run --release --" } else { "landfall" };
    format!(
        "Where to look:\n  CSV objects   {}\n  dead letters  {}\n  logs          {}\n\nNext: {landfall} demo \
         --poison 0.01 --keep, or {landfall} schema",
        bucket.join(&landing.prefix).display(),
        bucket.join(&landing.dead_letter_prefix).display(),
        dir.join("logs").display(),
    )
}
