//! Names and text in SQL: the one place where either is quoted.

use landfall_core::pipeline::{ARRIVED_AT, Column, DataType, Pipeline};

/// An identifier in double quotes: `"SENSORID"`.
///
/// A quote inside is doubled, so whatever comes in, one identifier comes out and nothing after it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name with what it stands in: `"LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING"`.
pub fn qualified(parts: &[&str]) -> String {
    parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".")
}

/// Text in single quotes: `'a''b'`.
///
/// Snowflake reads a backslash in a single-quoted constant as an escape, so it is doubled as the quote is.
///
/// Source: Snowflake SQL reference, "String & binary data types", single-quoted string constants.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The type of a column of the staging tables.
///
/// Arrival is whole milliseconds, so it has three digits; a producer's timestamps keep all nine.
pub fn column_type(column: &Column) -> String {
    match column.data_type {
        DataType::Integer => "NUMBER(38,0)".to_owned(),
        DataType::Decimal { precision, scale } => format!("NUMBER({precision},{scale})"),
        DataType::Float => "FLOAT".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Timestamp if column.name == ARRIVED_AT => "TIMESTAMP_NTZ(3)".to_owned(),
        DataType::Timestamp | DataType::Epoch(_) => "TIMESTAMP_NTZ(9)".to_owned(),
        DataType::Date => "DATE".to_owned(),
        DataType::Variant => "VARIANT".to_owned(),
        // `String`, and whatever core may add: text holds any value.
        _ => "VARCHAR".to_owned(),
    }
}

/// Something in the pipeline's schema, with database and schema before it.
pub(crate) fn in_schema(pipeline: &Pipeline, name: &str) -> String {
    qualified(&[&pipeline.snowflake.database, &pipeline.snowflake.schema, name])
}

pub(crate) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>, separator: &str) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_quoted_and_its_quotes_doubled() {
        assert_eq!(quoted(r#"A"B"#), r#""A""B""#);
        assert_eq!(qualified(&["DB", "S", "T"]), r#""DB"."S"."T""#);
    }

    #[test]
    fn text_is_quoted_and_its_quotes_and_backslashes_doubled() {
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal(r"C:\temp"), r"'C:\\temp'");
    }

    /// What Snowflake reads from the start of `sql`, and what it would take for SQL after it.
    fn read(sql: &str, quote: char, backslash_escapes: bool) -> Option<(String, &str)> {
        let mut text = String::new();
        let mut chars = sql.char_indices().skip(1).peekable();
        while let Some((_, c)) = chars.next() {
            if c == '\\' && backslash_escapes {
                text.push(chars.next()?.1);
            } else if c != quote {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                text.push(quote);
                chars.next();
            } else {
                return Some((text, chars.next().map_or("", |(i, _)| &sql[i..])));
            }
        }
        None
    }

    proptest! {
        #[test]
        fn no_identifier_escapes_its_quotes(name in r#"(?s)(["'\\;]|--|.){0,12}"#) {
            let sql = quoted(&name);
            prop_assert_eq!(read(&sql, '"', false), Some((name, "")));
        }

        #[test]
        fn no_literal_escapes_its_quotes(text in r#"(?s)(["'\\;]|--|.){0,12}"#) {
            let sql = literal(&text);
            prop_assert_eq!(read(&sql, '\'', true), Some((text, "")));
        }
    }
}
