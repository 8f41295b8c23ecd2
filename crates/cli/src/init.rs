//! `landfall init`: a pipeline.toml of one's own, the sensor pipeline or one derived from sample documents.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::{Table, presets};
use landfall_core::infer::{Inferred, infer};

use crate::console::{program, shell_word};
use crate::failure::Failure;
use crate::{console, pipeline_file};

/// The largest sample that is read; all of it is held in memory.
const MAX_SAMPLE_BYTES: u64 = 64 << 20;

/// The sample that is read from stdin.
const STDIN: &str = "-";

/// What to write, and from what.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  landfall init                                     the sensor pipeline, with its comments
  landfall init orders.toml --from orders.jsonl     JSON objects, one a line, or in an array
  head -n 1000 app.jsonl | landfall init --from - --name app --force")]
pub(crate) struct InitOptions {
    /// What to write.
    #[arg(default_value = "pipeline.toml", value_name = "FILE")]
    file: PathBuf,

    /// Documents as producers write them (64 MiB at most; - reads stdin): keys, types, columns, what is required and
    /// what to partition by are read off them [default: the sensor pipeline].
    #[arg(long, value_name = "SAMPLE")]
    from: Option<PathBuf>,

    /// What the pipeline is called: it names prefixes and tables [default: the sample's name].
    #[arg(long, value_name = "NAME", requires = "from")]
    name: Option<String>,

    /// Replace FILE if it exists.
    #[arg(long)]
    force: bool,
}

/// Writes the file and says what is in it.
pub(crate) fn run(options: &InitOptions) -> anyhow::Result<ExitCode> {
    let file = &options.file;
    if !options.force && fs::symlink_metadata(file).is_ok() {
        return Err(not_written(file, &io::ErrorKind::AlreadyExists.into()).into());
    }
    let (text, told) = match &options.from {
        Some(sample) => derived(options, sample)?,
        None => (pipeline_file::PIPELINE.to_owned(), format!("{}: the sensor pipeline", file.display())),
    };
    write(file, &text, options.force).map_err(|error| not_written(file, &error))?;
    let (landfall, file) = (program(), shell_word(file));
    console::print(&format!("{told}\n\nNext: {landfall} check {file}, then {landfall} demo --pipeline {file}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The pipeline.toml for a sample, and what a person should know of it.
fn derived(options: &InitOptions, path: &Path) -> anyhow::Result<(String, String)> {
    let sample = read(options, path)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let default_name = stem.filter(|stem| stem != STDIN).unwrap_or_else(|| "events".to_owned());
    let name = options.name.as_ref().unwrap_or(&default_name);
    let inferred =
        infer(name, &sample).map_err(|error| Failure { what: error.to_string(), remedy: error.remedy().to_owned() })?;
    let told = told(&inferred, &options.file);
    Ok((inferred.toml, told))
}

/// The sample's bytes.
fn read(options: &InitOptions, path: &Path) -> Result<Vec<u8>, Failure> {
    let (shown, less, reader): (_, _, io::Result<Box<dyn Read>>) = if path == Path::new(STDIN) {
        ("stdin".to_owned(), "… | head -n 10000".to_owned(), Ok(Box::new(io::stdin())))
    } else {
        let less = format!("head -n 10000 {}", shell_word(path));
        (path.display().to_string(), less, File::open(path).map(|file| Box::new(file) as _))
    };
    let mut sample = Vec::new();
    let done = reader.and_then(|reader| reader.take(MAX_SAMPLE_BYTES + 1).read_to_end(&mut sample));
    done.map_err(|error| Failure {
        what: format!("failed to read {shown}: {error}"),
        remedy: "give --from a file of JSON objects, one a line, or - for stdin".to_owned(),
    })?;
    if sample.len() as u64 > MAX_SAMPLE_BYTES {
        return Err(Failure {
            what: format!("failed to read {shown}: it is larger than 64 MiB"),
            remedy: format!("give a part of it: {less} | {} init {} --from -", program(), shell_word(&options.file)),
        });
    }
    Ok(sample)
}

/// What was derived, field by field.
fn told(inferred: &Inferred, file: &Path) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["field", "column", "type", "required", "in the sample"]);
    for field in &inferred.fields {
        table.add_row([
            printable(&field.name),
            field.column.clone(),
            field.data_type.to_string(),
            if field.required { "required" } else { "" }.to_owned(),
            field.comment.clone().unwrap_or_default(),
        ]);
    }
    let notes: String = inferred.notes.iter().map(|note| format!("\nNote: {note}")).collect();
    format!(
        "{}: pipeline {}, {} fields from {} documents, partitioned by {}\n\n{}{}{notes}",
        file.display(),
        inferred.name,
        inferred.fields.len(),
        inferred.n_documents,
        printable(&inferred.partition_by),
        table.trim_fmt(),
        if notes.is_empty() { "" } else { "\n" },
    )
}

/// Writes a file whole or not at all.
fn write(file: &Path, text: &str, replace: bool) -> io::Result<()> {
    if !replace {
        // Refuses a file that is there; what stands in a new one after a failure is a half of it.
        let written = File::create_new(file)?;
        return fill(written, text).inspect_err(|_| drop(fs::remove_file(file)));
    }
    // A link stays one: what it leads to is replaced. A device or a folder is neither.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    if fs::metadata(&file).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::other("it is no file"));
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(name);
    let written = File::create(&temporary).and_then(|written| fill(written, text));
    written.and_then(|()| fs::rename(&temporary, &file)).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn fill(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn not_written(file: &Path, error: &io::Error) -> Failure {
    let (why, remedy) = match error.kind() {
        io::ErrorKind::AlreadyExists => ("it exists".to_owned(), "give another name, or --force to replace it"),
        _ => (error.to_string(), "name a file in a folder that exists and can be written to"),
    };
    Failure { what: format!("failed to write {}: {why}", file.display()), remedy: remedy.to_owned() }
}

/// A key as it can stand in a terminal: its control characters escaped.
fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_steer_the_terminal() {
        assert_eq!(printable("größe \u{1b}[31m\n"), "größe \\u{1b}[31m\\n");
    }
}
