//! The template that fits a pipeline.

use landfall_core::Pipeline;
use landfall_core::pipeline::UnknownFields;
use serde_json::Value;

use crate::values;

/// The text of a template of which every record is one row of `pipeline`: to see a pipeline at work that has no
/// template yet, and to save and edit.
///
/// Numbers are drawn, and days and moments in the autumn of 2026. The partitioning field has 20 values at most, so
/// that partitions repeat. An optional field is one of a few values or null, and not drawn, because a call cannot
/// stand inside another. Where unknown fields are kept there is one, `note`; elsewhere there is none.
pub fn template_text(pipeline: &Pipeline) -> String {
    let mut record = Vec::new();
    for (index, field) in pipeline.fields.iter().enumerate() {
        let value = if index == pipeline.landing.partition_by {
            values::partition(field.data_type)
        } else if field.required {
            values::required(field.data_type)
        } else {
            values::optional(field.data_type)
        };
        insert(&mut record, &field.path, value);
    }
    if pipeline.unknown_fields == UnknownFields::Keep {
        let mut key = "note".to_owned();
        while record.iter().any(|(taken, _)| *taken == key) {
            key.push('_');
        }
        record.push((key, Node::Value(values::unknown())));
    }
    object(&record, 0) + "\n"
}

/// A value of the record: what renders it, or what is in it.
enum Node {
    Value(String),
    Object(Members),
}

type Members = Vec<(String, Node)>;

/// Puts `value` at `path`. No path of a pipeline leads through the end of another.
fn insert(members: &mut Members, path: &[String], value: String) {
    let Some((key, inner)) = path.split_first() else { return };
    if inner.is_empty() {
        members.push((key.clone(), Node::Value(value)));
        return;
    }
    let present = members.iter().position(|(present, _)| present == key);
    let index = present.unwrap_or_else(|| {
        members.push((key.clone(), Node::Object(Members::new())));
        members.len() - 1
    });
    if let Node::Object(members) = &mut members[index].1 {
        insert(members, inner, value);
    }
}

/// One member a line, so that a person can read it, and so that no brace of an object follows one of a call.
fn object(members: &Members, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let lines: Vec<_> = members
        .iter()
        .map(|(name, node)| {
            let value = match node {
                Node::Value(value) => value.clone(),
                Node::Object(members) => object(members, depth + 1),
            };
            format!("{indent}  {}: {value}", key(name))
        })
        .collect();
    format!("{{\n{}\n{indent}}}", lines.join(",\n"))
}

/// A key as JSON. Two braces in it would begin a call, so one of them is escaped.
fn key(name: &str) -> String {
    Value::from(name).to_string().replace("{{", "{\\u007b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(key(name), expected);
        assert_eq!(serde_json::from_str::<String>(expected).unwrap(), name);
    }

    #[test]
    fn a_key_begins_no_call() {
        check("sensorId", r#""sensorId""#);
        check("a\"b\\c\nd", r#""a\"b\\c\nd""#);
        check("{{random.number}}", r#""{\u007brandom.number}}""#);
        check("{{{", r#""{\u007b{""#);
        check("{{{{", r#""{\u007b{\u007b""#);
        check("\\{{", r#""\\{\u007b""#);
    }
}
