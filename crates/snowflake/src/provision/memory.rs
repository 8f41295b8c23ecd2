//! An account in memory: it makes and grants what it is told to, and records every statement in order. Public, so that
//! tests of other crates use it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::{Account, AccountError};
use crate::lex::{Piece, pieces};
use crate::table::{Kind, Table};

/// What reads the landing bucket, there.
pub const IAM_USER_ARN: &str = "arn:aws:iam::123456789001:user/abc1-b-self1234";

/// Where its pipes hear of objects.
pub const NOTIFICATION_CHANNEL: &str = "arn:aws:sqs:us-east-1:123456789001:sf-snowpipe-AIDA-abc";

/// An account, empty but for what every account has.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    statements: Vec<String>,
    refusals: Vec<(String, AccountError)>,
    answers: Vec<(String, Table)>,
    /// Kind and path, and what it was made with.
    objects: BTreeMap<(String, String), BTreeMap<String, String>>,
    columns: BTreeMap<String, Vec<(String, String, bool)>>,
    /// Right, kind, path, grantee; of a role, what the grantee is.
    grants: BTreeSet<[String; 4]>,
    n_merges: usize,
    /// What USE ROLE has taken on last.
    role: Option<String>,
}

impl Memory {
    /// Every statement so far.
    pub fn statements(&self) -> Vec<String> {
        self.with(|state| state.statements.clone())
    }

    /// Those that changed something.
    pub fn changes(&self) -> Vec<String> {
        let looks = ["SHOW ", "DESC ", "SELECT ", "LIST ", "USE "];
        self.statements().into_iter().filter(|sql| !looks.iter().any(|look| sql.starts_with(look))).collect()
    }

    /// Refuses statements that begin like this.
    pub fn refuse(&self, beginning: &str, error: AccountError) {
        self.with(|state| state.refusals.push((beginning.to_owned(), error)));
    }

    /// Takes all refusals back.
    pub fn relent(&self) {
        self.with(|state| state.refusals.clear());
    }

    /// Answers statements that begin like this.
    pub fn answer(&self, beginning: &str, columns: &[&str], rows: &[&[&str]]) {
        self.with(|state| state.answers.insert(0, (beginning.to_owned(), table(columns, rows))));
    }

    /// Takes a thing away.
    pub fn forget(&self, kind: &str, path: &str) {
        self.with(|state| {
            state.objects.remove(&(kind.to_owned(), path.to_owned()));
            state.grants.retain(|[_, _, on, _]| on != path);
        });
    }

    /// Takes a right away.
    pub fn revoke(&self, privilege: &str, path: &str, role: &str) {
        self.with(|state| {
            state.grants.retain(|grant| [&grant[0], &grant[2], &grant[3]] != [privilege, path, role]);
        });
    }

    fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Account for Memory {
    async fn run(&self, sql: &str, _binds: &[&str]) -> Result<Table, AccountError> {
        self.with(|state| {
            state.statements.push(sql.to_owned());
            if let Some((_, error)) = state.refusals.iter().find(|(beginning, _)| sql.starts_with(beginning)) {
                return Err(error.clone());
            }
            if let Some((_, table)) = state.answers.iter().find(|(beginning, _)| sql.starts_with(beginning)) {
                return Ok(table.clone());
            }
            state.run(sql)
        })
    }
}

/// A statement's words and names, without quotes.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for piece in pieces(sql) {
        match piece {
            Piece::Quoted(text) => tokens.push(text[1..text.len() - 1].to_owned()),
            Piece::Word(text) | Piece::Mark(text) => tokens.push(text.to_owned()),
            Piece::Space(_) | Piece::Comment(_) => {}
        }
    }
    tokens
}

/// The dotted path at `at`, and where it ends.
fn path(tokens: &[String], mut at: usize) -> (String, usize) {
    let mut path = tokens.get(at).cloned().unwrap_or_default();
    while tokens.get(at + 1).is_some_and(|token| token == ".") {
        path.push('.');
        path.push_str(tokens.get(at + 2).map_or("", String::as_str));
        at += 2;
    }
    (path, at + 1)
}

impl State {
    fn run(&mut self, sql: &str) -> Result<Table, AccountError> {
        let tokens = tokens(sql);
        let word = |at: usize| tokens.get(at).map_or("", String::as_str);
        let is_query = word(0) == "MERGE" || (word(0) == "SELECT" && tokens.iter().any(|token| token == "FROM"));
        if is_query && !self.objects.keys().any(|(kind, _)| kind == "WAREHOUSE") {
            let what = "No active warehouse selected in the current session.".to_owned();
            return Err(AccountError { what, code: Some("000606".to_owned()), remedy: None });
        }
        Ok(self.answer(&tokens))
    }

    fn answer(&mut self, tokens: &[String]) -> Table {
        let word = |at: usize| tokens.get(at).map_or("", String::as_str);
        match (word(0), word(1)) {
            ("USE", "ROLE") => self.role = Some(word(2).to_owned()),
            ("CREATE", _) => self.create(tokens),
            ("GRANT", _) => self.grant(tokens),
            ("ALTER", "USER") => self.set_key(tokens),
            ("ALTER", "TABLE") => self.alter_table(tokens),
            ("SHOW", "PARAMETERS") => return self.show_parameter(tokens),
            ("SHOW", "GRANTS") => return self.show_grants(tokens),
            ("SHOW", _) => return self.show(tokens),
            ("DESC", "TABLE" | "VIEW") => return self.describe_columns(&path(tokens, 2).0),
            ("DESC", kind) => return self.describe(kind, word(2)),
            ("MERGE", _) => {
                self.n_merges += 1;
                return table(&["number of rows inserted"], &[&[if self.n_merges % 2 == 1 { "1" } else { "0" }]]);
            }
            ("SELECT", "CURRENT_USER") => {
                return table(&["U", "R", "W"], &[&["LANDFALL_LOADER", "LANDFALL_LOADER", "LANDFALL_WH"]]);
            }
            ("SELECT", "SYSTEM") => {
                let status = format!(
                    r#"{{"executionState":"RUNNING","pendingFileCount":0,"notificationChannelName":"{NOTIFICATION_CHANNEL}"}}"#
                );
                return table(&["STATUS"], &[&[&status]]);
            }
            ("SELECT", "TABLE_NAME") => return self.catalogue(tokens),
            _ => {}
        }
        Table::default()
    }

    fn create(&mut self, tokens: &[String]) {
        let skip = ["CREATE", "OR", "REPLACE", "IF", "NOT", "EXISTS", "TEMPORARY", "STORAGE"];
        let Some(at) = tokens.iter().position(|token| !skip.contains(&token.as_str())) else { return };
        if tokens.iter().any(|token| token == "TEMPORARY") {
            return;
        }
        let (kind, mut at) =
            if tokens[at] == "FILE" { ("FILE FORMAT".to_owned(), at + 2) } else { (tokens[at].clone(), at + 1) };
        while tokens.get(at).is_some_and(|token| skip.contains(&token.as_str())) {
            at += 1;
        }
        let (name, end) = path(tokens, at);
        let mut properties = BTreeMap::new();
        for i in end..tokens.len().saturating_sub(2) {
            if tokens[i + 1] == "=" {
                let value = if tokens[i + 2] == "(" { i + 3 } else { i + 2 };
                properties.insert(tokens[i].clone(), tokens.get(value).cloned().unwrap_or_default());
            }
        }
        if kind == "TABLE" || kind == "VIEW" {
            let columns = columns(&tokens[end..], kind == "VIEW");
            self.columns.insert(name.clone(), columns);
        }
        let owner = self.role.clone().unwrap_or_else(|| "ACCOUNTADMIN".to_owned());
        properties.insert("OWNER".to_owned(), owner);
        self.objects.entry((kind, name)).or_insert(properties);
    }

    fn grant(&mut self, tokens: &[String]) {
        let to = tokens.iter().rposition(|token| token == "TO").unwrap_or_default();
        let grantee = tokens.get(to + 2).cloned().unwrap_or_default();
        let (privilege, kind, at) = match tokens.iter().position(|token| token == "ON") {
            Some(on) if tokens[1] != "ROLE" => (tokens[1..on].join(" "), tokens[on + 1].clone(), on + 2),
            _ => (tokens[to + 1].clone(), "ROLE".to_owned(), 2),
        };
        self.grants.insert([privilege, kind, path(tokens, at).0, grantee]);
    }

    fn set_key(&mut self, tokens: &[String]) {
        let key = ("USER".to_owned(), tokens[2].clone());
        let Some(user) = self.objects.get_mut(&key) else { return };
        match tokens {
            [.., unset, property] if unset == "UNSET" => {
                user.remove(property);
            }
            [.., property, _, value] => {
                user.insert(property.clone(), value.clone());
            }
            _ => {}
        }
    }

    fn alter_table(&mut self, tokens: &[String]) {
        let (name, _) = path(tokens, 2);
        let at = tokens.iter().position(|token| token == "EXISTS").unwrap_or_default() + 1;
        if let (Some(columns), Some(column)) = (self.columns.get_mut(&name), tokens.get(at)) {
            columns.push((column.clone(), tokens[at + 1].clone(), true));
        }
    }

    fn show(&self, tokens: &[String]) -> Table {
        let like = tokens.iter().position(|token| token == "LIKE").unwrap_or(tokens.len() - 1);
        let kind = tokens[1..like].join(" ");
        let kind = kind.trim_end_matches('S');
        let mut name = tokens.get(like + 1).cloned().unwrap_or_default();
        if let Some(within) = tokens.iter().position(|token| token == "IN") {
            name = format!("{}.{name}", path(tokens, within + 2).0);
        }
        let Some(properties) = self.objects.get(&(kind.to_owned(), name.clone())) else {
            return table(&["name"], &[]);
        };
        let property = |name: &str| properties.get(name).cloned().unwrap_or_default();
        let last = name.rsplit('.').next().unwrap_or_default();
        let channel = if kind == "PIPE" { NOTIFICATION_CHANNEL } else { "" };
        table(
            &["name", "url", "notification_channel", "size", "auto_suspend", "auto_resume", "owner"],
            &[&[last, &property("URL"), channel, "X-Small", &property("AUTO_SUSPEND"), "true", &property("OWNER")]],
        )
    }

    /// What a warehouse was made with.
    fn show_parameter(&self, tokens: &[String]) -> Table {
        let [.., _, name, _, _, warehouse] = tokens else { return Table::default() };
        let warehouse = self.objects.get(&("WAREHOUSE".to_owned(), warehouse.clone()));
        let value = warehouse.and_then(|made| made.get(name)).cloned().unwrap_or_default();
        table(&["key", "value"], &[&[name, &value]])
    }

    fn show_grants(&self, tokens: &[String]) -> Table {
        let role = tokens.last().cloned().unwrap_or_default();
        let rows: Vec<[&str; 4]> = self.grants.iter().map(|grant| grant.each_ref().map(String::as_str)).collect();
        if tokens[2] == "OF" {
            let of = rows.iter().filter(|[_, kind, path, _]| *kind == "ROLE" && *path == role);
            let of: Vec<Vec<&str>> = of.map(|[what, .., grantee]| vec![*what, *grantee]).collect();
            return table(&["granted_to", "grantee_name"], &of.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        let to = rows.iter().filter(|[_, kind, _, grantee]| *grantee == role && *kind != "ROLE");
        let to: Vec<Vec<&str>> = to.map(|[privilege, kind, path, _]| vec![*privilege, *kind, *path]).collect();
        table(&["privilege", "granted_on", "name"], &to.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn describe(&self, kind: &str, name: &str) -> Table {
        let found = self.objects.get(&(kind.to_owned(), name.to_owned()));
        let property = |name: &str| found.and_then(|found| found.get(name)).cloned().unwrap_or_default();
        if kind == "USER" {
            let fingerprint = |name: &str| match crate::key::PublicKey::parse(&property(name)) {
                Ok(key) => key.fingerprint,
                Err(_) => "null".to_owned(),
            };
            let [first, second] = ["RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"].map(fingerprint);
            let sort = property("TYPE");
            let rows = [["TYPE", sort.as_str()], ["RSA_PUBLIC_KEY_FP", &first], ["RSA_PUBLIC_KEY_2_FP", &second]];
            return table(&["property", "value"], &rows.each_ref().map(|row| row.as_slice()));
        }
        let names = ["STORAGE_AWS_ROLE_ARN", "STORAGE_AWS_EXTERNAL_ID", "STORAGE_ALLOWED_LOCATIONS"];
        let values = names.map(property);
        table(
            &["property", "property_value"],
            &[
                &[names[0], &values[0]],
                &[names[1], &values[1]],
                &[names[2], &values[2]],
                &["STORAGE_AWS_IAM_USER_ARN", IAM_USER_ARN],
            ],
        )
    }

    /// The answer to what [`crate::schema_change::deployed_query`] asks.
    fn catalogue(&self, tokens: &[String]) -> Table {
        let mut rows = Vec::new();
        for (name, columns) in &self.columns {
            let last = name.rsplit('.').next().unwrap_or_default();
            if !tokens.iter().any(|token| token == last) {
                continue;
            }
            for (column, data_type, is_nullable) in columns {
                let (data_type, precision) = match data_type.as_str() {
                    "VARCHAR" => ("TEXT", ""),
                    "NUMBER" => ("NUMBER", "38"),
                    other => (other, ""),
                };
                let scale = if precision.is_empty() { "" } else { "0" };
                let nullable = if *is_nullable { "YES" } else { "NO" };
                rows.push(vec![last, column, data_type, "", precision, scale, nullable]);
            }
        }
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        table(&["TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "LENGTH", "PRECISION", "SCALE", "IS_NULLABLE"], &rows)
    }

    fn describe_columns(&self, name: &str) -> Table {
        let columns = self.columns.get(name).map(Vec::as_slice).unwrap_or_default();
        let rows: Vec<[&str; 3]> = columns
            .iter()
            .map(|(name, data_type, is_nullable)| {
                let data_type = match data_type.as_str() {
                    "VARCHAR" => "VARCHAR(16777216)",
                    "NUMBER" => "NUMBER(38,0)",
                    "" => "VARIANT",
                    other => other,
                };
                [name.as_str(), data_type, if *is_nullable { "Y" } else { "N" }]
            })
            .collect();
        table(&["name", "type", "null?"], &rows.iter().map(<[&str; 3]>::as_slice).collect::<Vec<_>>())
    }
}

/// Name, type and whether it may be NULL, of a CREATE TABLE; of a view the names alone.
fn columns(tokens: &[String], is_view: bool) -> Vec<(String, String, bool)> {
    let mut columns = Vec::new();
    if is_view {
        let from = tokens.iter().position(|token| token == "FROM").unwrap_or(tokens.len());
        let select = tokens.iter().position(|token| token == "SELECT").unwrap_or_default();
        for name in tokens[select + 1..from].iter().filter(|token| *token != ",") {
            columns.push((name.clone(), String::new(), true));
        }
        return columns;
    }
    let (mut depth, mut start) = (0, 0);
    for (at, token) in tokens.iter().enumerate() {
        match (token.as_str(), depth) {
            ("(", 0) => (depth, start) = (1, at + 1),
            ("(", _) => depth += 1,
            (")", 2..) => depth -= 1,
            (",", 1) | (")", 1) => {
                let column = &tokens[start..at];
                let is_nullable = !column.iter().any(|word| word == "NOT");
                columns.push((column[0].clone(), column[1].clone(), is_nullable));
                start = at + 1;
                if token == ")" {
                    return columns;
                }
            }
            _ => {}
        }
    }
    columns
}

fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
    let cell = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
    Table {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        kinds: vec![Kind::Text; columns.len()],
        rows: rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
    }
}
