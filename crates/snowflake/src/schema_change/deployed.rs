//! The staging tables as Snowflake has them, whatever pipeline they were made for.

use landfall_core::Pipeline;

use crate::error::SessionError;
use crate::session::Session;
use crate::sql::{literal, quoted};
use crate::table::Table;

/// The length of a VARCHAR that names none. A column may have a larger one; it holds as much, and more.
const DEFAULT_LENGTH: u64 = 16_777_216;

/// Codes of a database or table that is not there, or that the role may not see: Snowflake does not tell which.
const ABSENT_CODES: [&str; 2] = ["002003", "002043"];

/// A column of a staging table, as Snowflake has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedColumn {
    /// Its name.
    pub name: String,
    /// In the words of DDL: `NUMBER(38,0)`, `VARCHAR`, `VARCHAR(100)`; `TIMESTAMP_NTZ`, for no catalogue tells its
    /// precision.
    pub data_type: String,
    /// Whether it may be NULL.
    pub is_nullable: bool,
}

/// The columns of both staging tables in their order. A table that is not there has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployed {
    /// Of the table that upsert merges into.
    pub streaming: Vec<DeployedColumn>,
    /// Of the table that Snowpipe loads.
    pub microbatch: Vec<DeployedColumn>,
}

impl Deployed {
    /// Asks Snowflake. On a fresh account, where not even the database exists, nothing is deployed.
    ///
    /// What the session's role may not see is not there either.
    ///
    /// # Errors
    /// As [`Session::query`]; it takes a warehouse, for it is a query.
    pub async fn read(session: &Session, pipeline: &Pipeline) -> Result<Self, SessionError> {
        match session.query(&deployed_query(pipeline), &[]).await {
            Err(error) if error.code().is_some_and(|code| ABSENT_CODES.contains(&code)) => Ok(Self::default()),
            answer => Ok(Self::from_answer(pipeline, &answer?)),
        }
    }

    /// Reads the answer to [`deployed_query`].
    pub fn from_answer(pipeline: &Pipeline, answer: &Table) -> Self {
        let mut deployed = Self::default();
        for row in &answer.rows {
            let cell = |index: usize| row.get(index).and_then(Option::as_deref).unwrap_or_default();
            let column = DeployedColumn {
                name: cell(1).to_owned(),
                data_type: data_type(cell(2), cell(3), cell(4), cell(5)),
                is_nullable: cell(6) == "YES",
            };
            if cell(0) == pipeline.snowflake.streaming_table {
                deployed.streaming.push(column);
            } else {
                deployed.microbatch.push(column);
            }
        }
        deployed
    }

    /// Whether neither table is there.
    pub fn is_empty(&self) -> bool {
        self.streaming.is_empty() && self.microbatch.is_empty()
    }
}

/// The columns of both staging tables, from the catalogue of the pipeline's database.
///
/// Where that database does not exist, Snowflake answers with an error: [`Deployed::read`] knows it.
pub fn deployed_query(pipeline: &Pipeline) -> String {
    let target = &pipeline.snowflake;
    format!(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, \
         IS_NULLABLE\nFROM {}.INFORMATION_SCHEMA.COLUMNS\nWHERE TABLE_SCHEMA = {} AND TABLE_NAME IN ({}, {})\n\
         ORDER BY TABLE_NAME, ORDINAL_POSITION",
        quoted(&target.database),
        literal(&target.schema),
        literal(&target.streaming_table),
        literal(&target.microbatch_table),
    )
}

/// The columns in the answer to DESC TABLE or DESC VIEW, which takes no warehouse.
pub fn described(answer: &Table) -> Vec<DeployedColumn> {
    let index = |column: &str| answer.columns.iter().position(|name| name.eq_ignore_ascii_case(column));
    let indexes = [index("name"), index("type"), index("null?")];
    let columns = answer.rows.iter().filter_map(|row| {
        let [name, data_type, nullable] = indexes.map(|index| row.get(index?)?.as_deref());
        Some(DeployedColumn {
            name: name?.to_owned(),
            data_type: described_type(data_type?),
            is_nullable: nullable? == "Y",
        })
    });
    columns.collect()
}

/// `VARCHAR(16777216)` and `TIMESTAMP_NTZ(9)` as [`DeployedColumn`] has them.
fn described_type(described: &str) -> String {
    match described.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some(("VARCHAR", length)) => data_type("TEXT", length, "", ""),
        Some((timestamp @ "TIMESTAMP_NTZ", _)) => timestamp.to_owned(),
        _ => described.to_owned(),
    }
}

/// The catalogue's words for a type in those of DDL.
///
/// Source: Snowflake SQL reference, "COLUMNS view": DATETIME_PRECISION is "not applicable", so it is not asked for.
fn data_type(name: &str, length: &str, precision: &str, scale: &str) -> String {
    match name {
        "NUMBER" => format!("NUMBER({precision},{scale})"),
        "TEXT" => match length.parse() {
            Ok(0..DEFAULT_LENGTH) => format!("VARCHAR({length})"),
            _ => "VARCHAR".to_owned(),
        },
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::default_pipeline;

    #[test]
    fn the_query_of_the_default_pipeline() {
        insta::assert_snapshot!(deployed_query(&default_pipeline()), @r#"
        SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, IS_NULLABLE
        FROM "LANDFALL".INFORMATION_SCHEMA.COLUMNS
        WHERE TABLE_SCHEMA = 'STAGING' AND TABLE_NAME IN ('KINESIS_SENSORS_STREAMING', 'KINESIS_SENSORS_MICROBATCH')
        ORDER BY TABLE_NAME, ORDINAL_POSITION
        "#);
    }

    #[track_caller]
    fn check(catalogue: [&str; 4], expected: &str) {
        let [name, length, precision, scale] = catalogue;
        assert_eq!(data_type(name, length, precision, scale), expected);
    }

    #[test]
    fn types_are_in_the_words_of_ddl() {
        check(["NUMBER", "", "38", "0"], "NUMBER(38,0)");
        check(["NUMBER", "", "10", "2"], "NUMBER(10,2)");
        check(["TEXT", "16777216", "", ""], "VARCHAR");
        check(["TEXT", "134217728", "", ""], "VARCHAR");
        check(["TEXT", "100", "", ""], "VARCHAR(100)");
        check(["TIMESTAMP_NTZ", "", "", ""], "TIMESTAMP_NTZ");
        check(["VARIANT", "", "", ""], "VARIANT");
    }

    #[test]
    fn a_description_is_in_the_same_words() {
        let row = |cells: [&str; 3]| cells.map(|cell| Some(cell.to_owned())).to_vec();
        let answer = Table {
            columns: ["name", "type", "null?"].map(str::to_owned).to_vec(),
            rows: vec![
                row(["A", "VARCHAR(16777216)", "N"]),
                row(["B", "VARCHAR(100)", "Y"]),
                row(["C", "TIMESTAMP_NTZ(3)", "N"]),
                row(["D", "NUMBER(38,0)", "Y"]),
                row(["E", "VARIANT", "Y"]),
            ],
            ..Table::default()
        };

        let types: Vec<_> =
            described(&answer).into_iter().map(|column| (column.data_type, column.is_nullable)).collect();

        let expected = [("VARCHAR", false), ("VARCHAR(100)", true), ("TIMESTAMP_NTZ", false)];
        let expected = expected.into_iter().chain([("NUMBER(38,0)", true), ("VARIANT", true)]);
        assert_eq!(types, expected.map(|(name, nullable)| (name.to_owned(), nullable)).collect::<Vec<_>>());
        assert_eq!(described(&Table { columns: vec!["name".to_owned()], ..answer }), []);
    }

    #[test]
    fn each_column_belongs_to_its_table() {
        let row = |cells: [&str; 7]| cells.map(|cell| (!cell.is_empty()).then(|| cell.to_owned())).to_vec();
        let answer = Table {
            rows: vec![
                row(["KINESIS_SENSORS_MICROBATCH", "A", "FLOAT", "", "", "", "YES"]),
                row(["KINESIS_SENSORS_STREAMING", "B", "TEXT", "16777216", "", "", "NO"]),
                row(["KINESIS_SENSORS_STREAMING", "C", "NUMBER", "", "38", "0", "YES"]),
            ],
            ..Table::default()
        };

        let deployed = Deployed::from_answer(&default_pipeline(), &answer);

        let column = |name: &str, data_type: &str, is_nullable| DeployedColumn {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            is_nullable,
        };
        assert_eq!(deployed.streaming, [column("B", "VARCHAR", false), column("C", "NUMBER(38,0)", true)]);
        assert_eq!(deployed.microbatch, [column("A", "FLOAT", true)]);
    }
}
