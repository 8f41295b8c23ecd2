//! The text of a derived pipeline.toml.

use super::InferredField;
use super::names::{self, counted};
use super::partition::Partition;

/// The pipeline.toml, commented as the default one is.
pub(super) fn toml(
    name: &str,
    fields: &[InferredField],
    partition: &Partition,
    n_documents: usize,
    is_array: bool,
) -> String {
    let mut lines = head(n_documents);
    lines.push(line("name", name, None));
    lines.push(line("unknown_fields", "keep", Some("ignore | reject | keep (as the VARIANT column EXTRA)")));
    let documents = "lines (newline-separated or concatenated JSON) | array (a top-level array is several documents)";
    lines.push(line("documents", if is_array { "array" } else { "lines" }, Some(documents)));
    for field in fields {
        lines.push("\n[[fields]]".to_owned());
        lines.push(line("name", &field.name, None));
        lines.push(line("column", &field.column, None));
        lines.push(line("type", &field.data_type.to_string(), field.comment.as_deref()));
        if field.required {
            lines.push("required = true".to_owned());
        }
    }
    lines.extend(landing(name, &fields[partition.index], partition, n_documents));
    lines.extend(snowflake(name));
    lines.join("\n") + "\n"
}

fn head(n_documents: usize) -> Vec<String> {
    let derived = format!(
        "# Derived from a sample of {}: a proposal, to be read before the first deployment.",
        counted(n_documents, "document")
    );
    [
        "# What a record holds and where its rows go. Both functions, the generator and the DDL read this one file.",
        &derived,
        "#",
        "# The order of the fields is the order of the columns. Once deployed, it is append-only: new fields go to the end.",
        "# A document that lacks a field with `required = true`, or has null there, is poison: it becomes a dead letter.",
        "# Types: integer | decimal(p,s) | float | boolean | string | timestamp (ISO 8601) | timestamp(s), timestamp(ms)",
        "# (a number since 1970) | date | variant (any JSON). A name like \"/a/b\" reaches into nested objects.",
        "#",
        "# Next: landfall check FILE, then landfall demo --pipeline FILE",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn landing(name: &str, field: &InferredField, partition: &Partition, n_documents: usize) -> Vec<String> {
    let prefix = format!("landing/{name}");
    let label = &partition.label;
    let values = format!("{} in {}", counted(partition.n_distinct, "distinct value"), counted(n_documents, "document"));
    let (layout, values, why) = if partition.is_unique {
        ("per-batch", values, "per-partition would put one object a document: each has a value of its own there")
    } else {
        let values = format!("{values} → {prefix}/{label}-…/");
        ("per-partition", values, "per-partition | per-batch (one object a batch: far fewer PUTs)")
    };
    vec![
        "\n[landing]".to_owned(),
        line("prefix", &prefix, None),
        line("partition_by", &field.name, Some(&values)),
        line("partition_label", label, None),
        line("layout", layout, Some(why)),
        line("compression", "none", Some("none | gzip | zstd")),
        line("dead_letter_prefix", &format!("deadletter/{name}"), None),
    ]
}

fn snowflake(name: &str) -> Vec<String> {
    let table = names::table(name);
    vec![
        "\n[snowflake]".to_owned(),
        line("database", "LANDFALL", None),
        line("schema", "STAGING", None),
        line("streaming_table", &format!("KINESIS_{table}_STREAMING"), None),
        line("microbatch_table", &format!("KINESIS_{table}_MICROBATCH"), None),
    ]
}

/// A key with its text, escaped, and the comment where the default file has its own.
fn line(key: &str, text: &str, comment: Option<&str>) -> String {
    let code = format!("{key} = {}", toml::Value::String(text.to_owned()));
    match comment {
        Some(comment) => format!("{code:<36} # {comment}"),
        None => code,
    }
}
