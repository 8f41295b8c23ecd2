//! The same SQL for the local stack, whose Snowflake is fakesnow and runs less of it.

use crate::lex::{Piece, pieces};
use crate::sql::literal;

/// Options that fakesnow refuses, or that mean nothing without AWS.
///
/// The file format stays whole: the local stack's launcher teaches fakesnow the options that it lacks.
const REFUSED_OPTIONS: [&str; 2] = ["ON_ERROR", "STORAGE_INTEGRATION"];

/// Statements that fakesnow refuses: it has no accounts, so nobody needs a right there.
const REFUSED_STATEMENTS: [&str; 7] = [
    "CREATE PIPE",
    "CREATE ROLE",
    "CREATE STORAGE INTEGRATION",
    "CREATE USER",
    "CREATE WAREHOUSE",
    "GRANT",
    "USE ROLE",
];

/// How a table of one session's own begins.
const TEMPORARY: &str = "CREATE TEMPORARY TABLE";

/// A statement for fakesnow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localized {
    /// What to run, or nothing where nothing of it can be run.
    pub sql: Option<String>,
    /// What was taken out, in words to show: `ON_ERROR`, `CREATE PIPE`.
    pub stripped: Vec<String>,
}

/// The statements of a script: without comments, without their semicolons, none of them empty.
pub fn statements(sql: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    for piece in pieces(sql) {
        match piece {
            Piece::Mark(";") => statements.push(String::new()),
            // A comment may be all that stands between two words.
            Piece::Comment(_) => push(&mut statements, " "),
            piece => push(&mut statements, piece.text()),
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements.iter().map(|statement| statement.trim().to_owned()).collect()
}

fn push(statements: &mut [String], text: &str) {
    if let Some(last) = statements.last_mut() {
        last.push_str(text);
    }
}

/// What fakesnow can run of a statement, with `stage_url` (`file:///…/`) for the landing zone's own.
///
/// What it takes out says how the real service behaves with a bad file, not what a good file holds, so what lands
/// locally is what lands there. A pipe there is none: the local stack copies by itself.
pub fn for_local(statement: &str, stage_url: &str) -> Localized {
    let pieces = pieces(statement);
    let words: Vec<_> = pieces.iter().filter(|piece| matches!(piece, Piece::Word(_))).take(3).collect();
    let begins =
        |with: &&&str| with.split(' ').enumerate().all(|(i, word)| words.get(i).is_some_and(|w| w.is_word(word)));
    if let Some(refused) = REFUSED_STATEMENTS.iter().find(begins) {
        return Localized { sql: None, stripped: vec![(*refused).to_owned()] };
    }
    let (mut sql, mut stripped) = (String::with_capacity(statement.len()), Vec::new());
    let mut at = 0;
    while at < pieces.len() {
        if let Some(option) = REFUSED_OPTIONS.iter().find(|option| pieces[at].is_word(option))
            && let Some(value) = value(&pieces, at)
        {
            stripped.push((*option).to_owned());
            at = value.end;
        } else if pieces[at].is_word("URL")
            && let Some(value) = value(&pieces, at)
        {
            pieces[at..value.start].iter().for_each(|piece| sql.push_str(piece.text()));
            sql.push_str(&literal(stage_url));
            at = value.end;
        } else if pieces[at].is_word("COPY")
            && let Some(grants) = next(&pieces, at + 1)
            && pieces[grants].is_word("GRANTS")
        {
            stripped.push("COPY GRANTS".to_owned());
            at = grants + 1;
        } else {
            sql.push_str(pieces[at].text());
            at += 1;
            continue;
        }
        if pieces.get(at).is_some_and(|piece| matches!(piece, Piece::Space(_))) && sql.ends_with(char::is_whitespace) {
            at += 1;
        }
    }
    // Its URL is a folder, which may have been moved, or belong to another prefix now.
    let mut sql = sql.trim().replacen("CREATE STAGE IF NOT EXISTS", "CREATE OR REPLACE STAGE", 1);
    if sql.starts_with(TEMPORARY) {
        // It takes no such table with a database before its name.
        sql = sql.replacen(TEMPORARY, "CREATE TABLE", 1);
        stripped.push("TEMPORARY".to_owned());
    }
    Localized { sql: Some(sql), stripped }
}

/// Where the value of the option at `at` stands: after its `=`, up to the end of its parentheses if it has any.
fn value(pieces: &[Piece<'_>], at: usize) -> Option<std::ops::Range<usize>> {
    let equals = next(pieces, at + 1).filter(|&i| pieces[i] == Piece::Mark("="))?;
    let start = next(pieces, equals + 1)?;
    if pieces[start] != Piece::Mark("(") {
        return Some(start..start + 1);
    }
    let length = pieces[start..].iter().position(|piece| *piece == Piece::Mark(")"))?;
    Some(start..start + length + 1)
}

fn next(pieces: &[Piece<'_>], from: usize) -> Option<usize> {
    let blank = |piece: &Piece<'_>| matches!(piece, Piece::Space(_) | Piece::Comment(_));
    (from..pieces.len()).find(|&i| !blank(&pieces[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{copy_into, scripts};
    use crate::testing::default_pipeline;

    #[track_caller]
    fn check_split(sql: &str, expected: &[&str]) {
        assert_eq!(statements(sql), expected);
    }

    #[test]
    fn statements_end_at_semicolons_that_are_not_in_quotes_or_comments() {
        check_split("", &[]);
        check_split(" ;; -- a; b\n;", &[]);
        check_split("SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"]);
        check_split("SELECT 'a;b', \"c;d\"\"e;f\"; x", &["SELECT 'a;b', \"c;d\"\"e;f\"", "x"]);
        check_split("SELECT '-- no comment', 'it''s;' -- one; two\n, 2", &["SELECT '-- no comment', 'it''s;'  \n, 2"]);
        check_split(r"SELECT 'a\';b'; c", &[r"SELECT 'a\';b'", "c"]);
        check_split("a/* ; */b; $$ x; 'y $$; z", &["a b", "$$ x; 'y $$", "z"]);
        check_split("'never closed; --", &["'never closed; --"]);
        check_split("'s3://<bucket>/'; 1 - -1", &["'s3://<bucket>/'", "1 - -1"]);
    }

    #[test]
    fn every_script_has_a_local_form_that_says_what_it_lacks() {
        let (mut shown, mut whole) = (String::new(), Vec::new());
        for statement in scripts(&default_pipeline()).iter().flat_map(|script| statements(&script.sql)) {
            let Localized { sql, stripped } = for_local(&statement, "file:///tmp/it's/kinesiscsv/");
            if stripped.is_empty() && sql.as_ref() == Some(&statement) {
                continue;
            }
            match sql {
                Some(sql) => shown.push_str(&format!("{sql}\n-- stripped: {}\n\n", stripped.join(", "))),
                None => whole.push(stripped.join(", ")),
            }
        }
        insta::assert_snapshot!(shown, @r#"
        CREATE OR REPLACE VIEW "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING_DEDUPLICATED" AS
        SELECT
          "KINESIS_SHARD_ID",
          "KINESIS_SEQUENCE_NUMBER",
          "KINESIS_SUBSEQUENCE_NUMBER",
          "KINESIS_DOCUMENT_NUMBER",
          "KINESIS_PARTITION_KEY",
          "KINESIS_ARRIVED_AT",
          "SENSORID",
          "CURRENTTEMPERATURE",
          "STATUS"
        FROM "LANDFALL"."STAGING"."KINESIS_SENSORS_STREAMING"
        QUALIFY ROW_NUMBER() OVER (
          PARTITION BY "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_ARRIVED_AT"
          ORDER BY "KINESIS_ARRIVED_AT"
        ) = 1
        -- stripped: COPY GRANTS

        CREATE OR REPLACE VIEW "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_DEDUPLICATED" AS
        SELECT
          "KINESIS_SHARD_ID",
          "KINESIS_SEQUENCE_NUMBER",
          "KINESIS_SUBSEQUENCE_NUMBER",
          "KINESIS_DOCUMENT_NUMBER",
          "KINESIS_PARTITION_KEY",
          "KINESIS_ARRIVED_AT",
          "SENSORID",
          "CURRENTTEMPERATURE",
          "STATUS"
        FROM "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH"
        QUALIFY ROW_NUMBER() OVER (
          PARTITION BY "KINESIS_SHARD_ID", "KINESIS_SEQUENCE_NUMBER", "KINESIS_SUBSEQUENCE_NUMBER", "KINESIS_DOCUMENT_NUMBER", "KINESIS_ARRIVED_AT"
          ORDER BY "KINESIS_ARRIVED_AT"
        ) = 1
        -- stripped: COPY GRANTS

        CREATE OR REPLACE STAGE "LANDFALL"."STAGING"."KINESIS_SENSORS_MICROBATCH_STAGE"
        URL = 'file:///tmp/it''s/kinesiscsv/'
        -- stripped: STORAGE_INTEGRATION
        "#);
        whole.sort();
        whole.dedup();
        assert_eq!(whole, REFUSED_STATEMENTS);
    }

    #[test]
    fn a_local_copy_aborts_on_an_error() {
        let copy = copy_into(&default_pipeline(), "sensor-6", &["on_error = x.csv"]);

        let Localized { sql, stripped } = for_local(&copy, "file:///");

        assert_eq!(stripped, ["ON_ERROR"]);
        assert_eq!(sql.unwrap(), copy.strip_suffix("\nON_ERROR = CONTINUE").unwrap());
    }
}
