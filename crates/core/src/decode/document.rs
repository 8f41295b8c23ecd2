//! One document to cells.

use crate::cells::Packed;
use crate::json::{self, Json, Kind};
use crate::pipeline::UnknownFields;
use crate::value::Value;
use crate::{Cell, Cells, Pipeline, value};

/// The cells of a document, one for each column that is not provenance.
///
/// # Errors
/// Why it is no row, in words for a person.
pub(super) fn cells(pipeline: &Pipeline, document: &[u8]) -> Result<Cells, String> {
    let text = std::str::from_utf8(document).map_err(|error| format!("invalid UTF-8: {error}"))?;
    let json = Json::parse(text)?;
    let Kind::Object(members) = &json.kind else {
        return Err(format!("the document is {}, not an object", json.kind_name()));
    };
    let mut cells = Packed::default();
    if pipeline.unknown_fields != UnknownFields::Ignore {
        let paths: Vec<&[String]> = pipeline.fields.iter().map(|field| field.path.as_slice()).collect();
        let unnamed = json::unnamed(members, &paths);
        match (pipeline.unknown_fields, unnamed) {
            (UnknownFields::Reject, Some(unnamed)) => {
                return Err(format!("no field is declared for {}", value::shown(&unnamed)));
            }
            (UnknownFields::Keep, Some(unnamed)) => cells.push(Cell::Json(&unnamed)),
            (UnknownFields::Keep, None) => cells.push(Cell::Null),
            _ => {}
        }
    }
    for field in &pipeline.fields {
        let name = &field.name;
        let value = match json.at(&field.path) {
            Some(json) => value::typed(json, field.data_type).map_err(|fault| format!("`{name}` {fault}"))?,
            None if field.required => return Err(format!("the required field `{name}` is missing")),
            None => Value::Null,
        };
        if value == Value::Null && field.required {
            return Err(format!("the required field `{name}` is null"));
        }
        cells.push(value.cell());
    }
    Ok(cells.finish())
}
