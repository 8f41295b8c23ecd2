//! Results of queries as text: a table for people, JSON and CSV for programs.

use comfy_table::{Table as TextTable, presets};
use landfall_core::csv::write_fields;
use landfall_snowflake::{Kind, Table};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::failure::Failure;

/// A Markdown table. Cells are whole and each on one line; NULL is `NULL`.
pub(crate) fn markdown(table: &Table) -> String {
    let mut text = TextTable::new();
    text.load_style(presets::ASCII_MARKDOWN);
    text.set_header(table.columns.iter().map(|name| on_one_line(name)));
    for row in &table.rows {
        text.add_row(row.iter().map(|cell| cell.as_deref().map_or("NULL".to_owned(), on_one_line)));
    }
    text.to_string()
}

/// A line break would end the row, a bar the cell, and another control character may be an order to the terminal.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => line.push_str("\\|"),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// An array of objects, one a row. Numbers keep all their digits, VARIANT is JSON, NULL is `null`.
///
/// # Errors
/// Two columns of one name: an object would lose one of them.
pub(crate) fn json(table: &Table) -> anyhow::Result<String> {
    for (index, name) in table.columns.iter().enumerate() {
        if table.columns[..index].contains(name) {
            return Err(Failure {
                what: format!("failed to write JSON: two columns are named {name}"),
                remedy: "name them apart: SELECT … AS …".to_owned(),
            }
            .into());
        }
    }
    let rows: Vec<_> = table.rows.iter().map(|cells| Row { table, cells }).collect();
    Ok(serde_json::to_string_pretty(&rows)?)
}

/// CSV with a header, quoted as the objects of the landing zone are: NULL is nothing, the empty string is `""`.
pub(crate) fn csv(table: &Table) -> String {
    let mut out = Vec::new();
    write_fields(&mut out, table.columns.iter().map(|name| Some(name.as_str())));
    for row in &table.rows {
        write_fields(&mut out, row.iter().map(Option::as_deref));
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An object whose keys stand in the order of the columns.
struct Row<'a> {
    table: &'a Table,
    cells: &'a [Option<String>],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for ((name, kind), cell) in self.table.columns.iter().zip(&self.table.kinds).zip(self.cells) {
            map.serialize_entry(name, &cell.as_deref().map(|text| Cell { kind: *kind, text }))?;
        }
        map.end()
    }
}

struct Cell<'a> {
    kind: Kind,
    text: &'a str,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.kind != Kind::Text
            // What JSON has no word for (NaN, inf, a VARIANT's `undefined`) stays text.
            && let Ok(raw) = serde_json::from_str::<&RawValue>(self.text)
        {
            return raw.serialize(serializer);
        }
        self.text.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, Kind)], rows: &[&[Option<&str>]]) -> Table {
        Table {
            columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            kinds: columns.iter().map(|(_, kind)| *kind).collect(),
            rows: rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect(),
        }
    }

    fn mixed() -> Table {
        let columns = [
            ("N", Kind::Number),
            ("F", Kind::Number),
            ("B", Kind::Boolean),
            ("V", Kind::Json),
            ("AT", Kind::Text),
            ("S", Kind::Text),
        ];
        let first = ["12345678901234567890123456789012345678", "1e+20", "true", r#"{"z":1.10,"a":[null,"b|c"]}"#];
        table(
            &columns,
            &[
                &[first.map(Some).as_slice(), &[Some("2026-11-20 14:00:00.123"), Some("a|b\n\u{1b}[31m, \"c\"")]]
                    .concat(),
                &[Some("1.10"), Some("-inf"), Some("false"), Some("[undefined]"), None, Some("")],
                &[None, Some("NaN"), None, Some("\"x\""), None, Some("12")],
                &[None; 6],
            ],
        )
    }

    #[test]
    fn a_cell_is_whole_and_on_one_line() {
        insta::assert_snapshot!(markdown(&mixed()), @r#"
        | N                                      | F     | B     | V                            | AT                      | S                     |
        |----------------------------------------|-------|-------|------------------------------|-------------------------|-----------------------|
        | 12345678901234567890123456789012345678 | 1e+20 | true  | {"z":1.10,"a":[null,"b\|c"]} | 2026-11-20 14:00:00.123 | a\|b\n\u{1b}[31m, "c" |
        | 1.10                                   | -inf  | false | [undefined]                  | NULL                    |                       |
        | NULL                                   | NaN   | NULL  | "x"                          | NULL                    | 12                    |
        | NULL                                   | NULL  | NULL  | NULL                         | NULL                    | NULL                  |
        "#);
    }

    #[test]
    fn json_keeps_every_digit_and_the_order_of_the_columns() {
        let json = json(&mixed()).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        insta::assert_snapshot!(json, @r#"
        [
          {
            "N": 12345678901234567890123456789012345678,
            "F": 1e+20,
            "B": true,
            "V": {"z":1.10,"a":[null,"b|c"]},
            "AT": "2026-11-20 14:00:00.123",
            "S": "a|b\n\u001b[31m, \"c\""
          },
          {
            "N": 1.10,
            "F": "-inf",
            "B": false,
            "V": "[undefined]",
            "AT": null,
            "S": ""
          },
          {
            "N": null,
            "F": "NaN",
            "B": null,
            "V": "x",
            "AT": null,
            "S": "12"
          },
          {
            "N": null,
            "F": null,
            "B": null,
            "V": null,
            "AT": null,
            "S": null
          }
        ]
        "#);
    }

    #[test]
    fn csv_tells_null_from_the_empty_string() {
        insta::assert_snapshot!(csv(&mixed()).replace('\u{1b}', "<ESC>"), @r#"
        N,F,B,V,AT,S
        12345678901234567890123456789012345678,1e+20,true,"{""z"":1.10,""a"":[null,""b|c""]}",2026-11-20 14:00:00.123,"a|b
        <ESC>[31m, ""c"""
        1.10,-inf,false,[undefined],,""
        ,NaN,,"""x""",,12
        ,,,,,
        "#);
        let lines = landfall_core::csv::read(csv(&mixed()).as_bytes()).unwrap();
        assert_eq!(lines[1..], mixed().rows);
    }

    #[test]
    fn two_columns_of_one_name_are_told_apart_or_refused() {
        let twice = table(&[("A", Kind::Text), ("B", Kind::Text), ("A", Kind::Text)], &[]);

        let error = json(&twice).unwrap_err();

        assert_eq!(error.to_string(), "failed to write JSON: two columns are named A");
        assert_eq!(crate::failure::remedy(&error).unwrap(), "name them apart: SELECT … AS …");
        assert!(csv(&twice).starts_with("A,B,A\n") && markdown(&twice).contains("| A | B | A |"));
    }

    #[test]
    fn no_rows_are_an_empty_array_and_a_header() {
        let none = table(&[("A", Kind::Number)], &[]);
        assert_eq!(json(&none).unwrap(), "[]");
        assert_eq!(csv(&none), "A\n");
        insta::assert_snapshot!(markdown(&none), @"
        | A |
        |---|
        ");
    }
}
