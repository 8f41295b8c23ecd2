//! Validation of a pipeline.toml as a whole.

use std::fmt;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::{Faults, Section};
use super::{
    Compression, DEFAULT_MAX_INFLATED_BYTES, DataType, Documents, EXTRA, EpochUnit, Field, Landing, Layout, PROVENANCE,
    Pipeline, Snowflake, UnknownFields,
};

/// One thing that is wrong with a pipeline.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
}

/// Everything that is wrong with a pipeline.toml, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineError {
    /// At least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_faults = self.faults.len();
        write!(f, "failed to read the pipeline: {n_faults} fault{}", if n_faults == 1 { "" } else { "s" })?;
        for Fault { line, what, remedy } in &self.faults {
            write!(f, "\n  line {line}: {what}; {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PipelineError {}

/// From one record as Kinesis takes it to a tenth of the largest function's memory.
const MAX_INFLATED_BYTES_RANGE: RangeInclusive<usize> = 1 << 20..=1 << 30;

pub(super) fn pipeline(text: &str) -> Result<Pipeline, PipelineError> {
    let mut faults = Faults::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        faults.add(at, format!("this is not TOML: {}", error.message()), "see https://toml.io");
    }
    let root = root.into_inner();
    let mut section = Section::new("the file", 0, &root);

    let name = section.required_text("name", "sensors", &mut faults).unwrap_or_default();
    if !name.is_empty() && !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        faults.add(section.at_key("name"), format!("the name \"{name}\" does not fit"), "use letters, digits, - and _");
    }
    let unknown_fields = section.one_of(
        "unknown_fields",
        &[("ignore", UnknownFields::Ignore), ("reject", UnknownFields::Reject), ("keep", UnknownFields::Keep)],
        &mut faults,
    );
    let documents =
        section.one_of("documents", &[("lines", Documents::Lines), ("array", Documents::Array)], &mut faults);
    let max_inflated_bytes = section
        .bytes("max_inflated_bytes", MAX_INFLATED_BYTES_RANGE, &mut faults)
        .unwrap_or(DEFAULT_MAX_INFLATED_BYTES);
    let fields = fields(&mut section, &mut faults);
    let landing = section.section("landing", &mut faults).map(|s| landing(s, &fields, &mut faults));
    let snowflake = section.section("snowflake", &mut faults).map(|s| snowflake(s, &mut faults));
    section.finish(&mut faults);

    let faults = faults.into_sorted();
    match (landing, snowflake) {
        (Some(landing), Some(snowflake)) if faults.is_empty() => {
            let name = name.to_owned();
            Ok(Pipeline { name, unknown_fields, documents, max_inflated_bytes, fields, landing, snowflake })
        }
        _ => Err(PipelineError { faults }),
    }
}

fn fields(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let at = section.at();
    let Some(array) = section.array("fields", faults) else {
        faults.add(at, "there are no fields", "add a [[fields]] section for each column");
        return fields;
    };
    for value in array {
        let Some((field, at)) = field(value, faults) else { continue };
        if let Some(earlier) = fields.iter().find(|earlier| earlier.column == field.column) {
            let what = format!("`{}` and `{}` share the column {}", earlier.name, field.name, field.column);
            faults.add(at, what, "give one of them another column");
        }
        if let Some(earlier) = fields.iter().find(|earlier| overlap(&earlier.path, &field.path)) {
            let what = format!("`{}` and `{}` name the same value, or one holds the other", earlier.name, field.name);
            faults.add(at, what, "remove one of them");
        }
        fields.push(field);
    }
    if array.is_empty() {
        faults.add(at, "there are no fields", "add a [[fields]] section for each column");
    }
    fields
}

fn overlap(a: &[String], b: &[String]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn field(value: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) -> Option<(Field, usize)> {
    let at = value.span().start;
    let DeValue::Table(table) = value.get_ref() else {
        faults.add(at, "a field is not a section", "write it as [[fields]]");
        return None;
    };
    let mut section = Section::new("the field", at, table);
    let name = section.required_text("name", "sensorId", faults);
    let path = name.and_then(|name| path(name, section.at_key("name"), faults));
    let column = section.text("column", "SENSORID", faults);
    let data_type = section
        .required_text("type", "integer", faults)
        .and_then(|text| data_type(text, section.at_key("type"), faults));
    let required = section.flag("required", faults);
    section.finish(faults);

    let (name, path) = (name?, path?);
    let derived = path.last()?.to_ascii_uppercase();
    let column = column.unwrap_or(&derived);
    let column_at = column_place(table, at);
    identifier("column", column, column_at, faults);
    if column == EXTRA || PROVENANCE.iter().any(|(reserved, ..)| *reserved == column) {
        faults.add(column_at, format!("the column {column} is Landfall's own"), "give the field another column");
    }
    // With a wrong type it is a field all the same: partition_by may name it.
    let data_type = data_type.unwrap_or(DataType::String);
    let field = Field { name: name.to_owned(), path, column: column.to_owned(), data_type, required };
    Some((field, at))
}

fn column_place(table: &DeTable<'_>, at: usize) -> usize {
    table.get("column").or_else(|| table.get("name")).map_or(at, |value| value.span().start)
}

/// The keys behind a field's name: one key, or a JSON pointer (RFC 6901) when it starts with a slash.
fn path(name: &str, at: usize, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    if name.is_empty() || name == "/" {
        faults.add(at, "the field's name is empty", "write the JSON key, or /outer/inner for a nested one");
        return None;
    }
    let Some(pointer) = name.strip_prefix('/') else { return Some(vec![name.to_owned()]) };
    Some(pointer.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect())
}

fn data_type(text: &str, at: usize, faults: &mut Faults<'_>) -> Option<DataType> {
    let data_type = match text {
        "integer" => DataType::Integer,
        "float" => DataType::Float,
        "boolean" => DataType::Boolean,
        "string" => DataType::String,
        "timestamp" => DataType::Timestamp,
        "timestamp(s)" => DataType::Epoch(EpochUnit::Seconds),
        "timestamp(ms)" => DataType::Epoch(EpochUnit::Milliseconds),
        "date" => DataType::Date,
        "variant" => DataType::Variant,
        _ => match decimal(text) {
            Some(decimal) => decimal,
            None => {
                let remedy = "write integer, decimal(p,s) with p up to 38 and s up to p (37 at most), float, boolean, string, \
                              timestamp, timestamp(s), timestamp(ms), date or variant";
                faults.add(at, format!("there is no type \"{text}\""), remedy);
                return None;
            }
        },
    };
    Some(data_type)
}

fn decimal(text: &str) -> Option<DataType> {
    let (precision, scale) = text.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale): (u8, u8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let fits = (1..=38).contains(&precision) && scale <= precision && scale <= 37;
    fits.then_some(DataType::Decimal { precision, scale })
}

fn landing(mut section: Section<'_>, fields: &[Field], faults: &mut Faults<'_>) -> Landing {
    let prefix = section.text("prefix", "kinesiscsv", faults).unwrap_or("kinesiscsv").to_owned();
    key_part("prefix", &prefix, section.at_key("prefix"), faults);
    let dead_letter_prefix =
        section.text("dead_letter_prefix", "deadletter", faults).unwrap_or("deadletter").to_owned();
    key_part("dead_letter_prefix", &dead_letter_prefix, section.at_key("dead_letter_prefix"), faults);
    if format!("{dead_letter_prefix}/").starts_with(&format!("{prefix}/")) {
        let what = "the dead letters lie under the landing prefix, where Snowpipe would load them";
        faults.add(section.at_key("dead_letter_prefix"), what, "use a prefix beside it, such as \"deadletter\"");
    }
    let partition_label = section.text("partition_label", "sensor", faults).unwrap_or("partition").to_owned();
    if partition_label.contains('/') {
        faults.add(
            section.at_key("partition_label"),
            "`partition_label` holds a slash",
            "use letters, digits, - and _",
        );
    }
    key_part("partition_label", &partition_label, section.at_key("partition_label"), faults);
    let partition_by = partition_by(&mut section, fields, faults).unwrap_or(0);
    let layout =
        section.one_of("layout", &[("per-partition", Layout::PerPartition), ("per-batch", Layout::PerBatch)], faults);
    let compression = section.one_of(
        "compression",
        &[("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)],
        faults,
    );
    section.finish(faults);
    Landing { prefix, partition_by, partition_label, layout, compression, dead_letter_prefix }
}

fn partition_by(section: &mut Section<'_>, fields: &[Field], faults: &mut Faults<'_>) -> Option<usize> {
    let name = section.required_text("partition_by", "sensorId", faults)?;
    let at = section.at_key("partition_by");
    let Some(index) = fields.iter().position(|field| field.name == name) else {
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        faults.add(at, format!("no field is named \"{name}\""), format!("write one of: {}", names.join(", ")));
        return None;
    };
    let field = &fields[index];
    if !field.required {
        let what = format!("the partitioning field `{name}` is optional");
        faults.add(at, what, "add required = true to it, or partition by another");
    }
    if field.data_type == DataType::Variant {
        faults.add(at, format!("the partitioning field `{name}` is a variant"), "partition by a scalar field");
    }
    Some(index)
}

fn key_part(name: &str, text: &str, at: usize, faults: &mut Faults<'_>) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.=/".contains(&b);
    let dots = text.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.'));
    if dots || !text.bytes().all(plain) {
        let remedy = "use letters, digits, -, _, . and =, with single slashes between parts";
        faults.add(at, format!("`{name}` is \"{text}\""), remedy);
    }
}

/// What leaves room for `_DEDUPLICATED`, the longest ending of what is named after a table.
const LONGEST_TABLE: usize = 255 - "_DEDUPLICATED".len();

fn snowflake(mut section: Section<'_>, faults: &mut Faults<'_>) -> Snowflake {
    let mut name = |key: &'static str, example: &str| {
        let text = section.required_text(key, example, faults).unwrap_or(example);
        identifier(key, text, section.at_key(key), faults);
        text.to_owned()
    };
    let snowflake = Snowflake {
        database: name("database", "LANDFALL"),
        schema: name("schema", "STAGING"),
        streaming_table: name("streaming_table", "KINESIS_SENSORS_STREAMING"),
        microbatch_table: name("microbatch_table", "KINESIS_SENSORS_MICROBATCH"),
    };
    if snowflake.streaming_table == snowflake.microbatch_table {
        let what = "both tables have one name";
        faults.add(section.at_key("microbatch_table"), what, "name them apart: each row would stand twice");
    }
    for (key, table) in
        [("streaming_table", &snowflake.streaming_table), ("microbatch_table", &snowflake.microbatch_table)]
    {
        if table.ends_with("_DEDUPLICATED") {
            let what = format!("`{key}` is \"{table}\", as the deduplicating views are called");
            faults.add(section.at_key(key), what, "choose a name that does not end in _DEDUPLICATED");
        }
        if is_identifier(table) && table.len() > LONGEST_TABLE {
            let what = format!("`{key}` has {} characters, and its view's name is 13 longer", table.len());
            faults.add(section.at_key(key), what, "use 242 at most");
        }
    }
    section.finish(faults);
    snowflake
}

fn identifier(what: &str, text: &str, at: usize, faults: &mut Faults<'_>) {
    if is_identifier(text) {
        return;
    }
    let upper = text.to_ascii_uppercase();
    let remedy = if is_identifier(&upper) {
        format!("write \"{upper}\"")
    } else {
        "use A-Z, 0-9, _ and $, not a digit first, 255 at most".to_owned()
    };
    faults.add(at, format!("`{what}` is \"{text}\", which is no upper-case identifier"), remedy);
}

/// Whether `text` is an identifier that means the same with and without quotes in Snowflake.
///
/// Source: Snowflake SQL reference, "Identifier requirements".
pub(crate) fn is_identifier(text: &str) -> bool {
    let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase() || b == b'_');
    starts_well
        && text.len() <= 255
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b'$')
}
