//! What is in an account already.

use std::collections::BTreeSet;

use landfall_core::Pipeline;

use super::{Account, AccountError};
use crate::ddl::{Grant, Kind, Paths, Settings, Step, quoted_path, sections};
use crate::schema_change::{Deployed, DeployedColumn, described};
use crate::sql::{literal, quoted};
use crate::table::Table;

/// What a pipeline needs and an account has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What is there, by kind and path.
    pub objects: BTreeSet<(Kind, Vec<String>)>,
    /// Rights that are given: grantee, right, kind and path. Of a role that is given, what the grantee is (`USER`,
    /// `ROLE`) stands for the right.
    pub grants: BTreeSet<(String, String, String, String)>,
    /// The columns of the staging tables.
    pub deployed: Deployed,
    /// The columns of the views, the streaming one's first.
    pub views: [Vec<String>; 2],
    /// The integration.
    pub integration: Option<Integration>,
    /// Where the stage is.
    pub stage_url: Option<String>,
    /// Fingerprints of the service user's two keys.
    pub keys: [Option<String>; 2],
    /// What sort of user it is, where it is there.
    pub user_type: Option<String>,
    /// What of the pipeline's belongs to another role than its owner: kind, path and that role.
    pub foreign: Vec<(Kind, Vec<String>, String)>,
    /// Where the pipe wants to hear of objects.
    pub notification_channel: Option<String>,
}

/// An integration, as DESC INTEGRATION has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Integration {
    /// The role that it reads with.
    pub role_arn: String,
    /// The external id that it gives.
    pub external_id: String,
    /// What it may read, with commas.
    pub locations: String,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// Who it is in AWS.
    pub iam_user_arn: Option<String>,
}

impl Found {
    /// Asks the account, as its administrator. It takes no warehouse: the pipeline's may be what is missing.
    ///
    /// # Errors
    /// The account refused a statement, or its answer leaves out what must not be guessed.
    pub async fn read(account: &impl Account, settings: &Settings, pipeline: &Pipeline) -> Result<Self, AccountError> {
        let mut found = Self::default();
        let target = &pipeline.snowflake;
        for (kind, name) in [
            (Kind::Role, &settings.owner_role),
            (Kind::Role, &settings.loader_role),
            (Kind::Warehouse, &settings.warehouse),
            (Kind::User, &settings.user),
            (Kind::Database, &target.database),
            (Kind::Integration, &settings.integration),
        ] {
            let path = vec![name.clone()];
            if named(&show(account, kind, &path).await?, name).is_some() {
                found.objects.insert((kind, path));
            }
        }
        for role in [&settings.owner_role, &settings.loader_role] {
            if found.has(Kind::Role, std::slice::from_ref(role)) {
                found.read_grants(account, role).await?;
            }
        }
        if found.has(Kind::User, std::slice::from_ref(&settings.user)) {
            let user = describe_user(account, &settings.user).await?;
            found.keys = fingerprints(&settings.user, &user)?;
            // One that was made without a type is a person's.
            found.user_type = property(&user, "TYPE").map(|sort| sort.unwrap_or_else(|| "PERSON".to_owned()));
        }
        if found.has(Kind::Integration, std::slice::from_ref(&settings.integration)) {
            let answer = account.run(&format!("DESC INTEGRATION {}", quoted(&settings.integration)), &[]).await?;
            let value = |name| property(&answer, name).flatten();
            found.integration = Some(Integration {
                role_arn: value("STORAGE_AWS_ROLE_ARN").unwrap_or_default(),
                external_id: value("STORAGE_AWS_EXTERNAL_ID").unwrap_or_default(),
                locations: value("STORAGE_ALLOWED_LOCATIONS").unwrap_or_default(),
                is_disabled: value("ENABLED").is_some_and(|enabled| enabled.eq_ignore_ascii_case("false")),
                iam_user_arn: value("STORAGE_AWS_IAM_USER_ARN"),
            });
        }
        if found.has(Kind::Database, std::slice::from_ref(&target.database)) {
            found.read_schema(account, settings, pipeline).await?;
        }
        Ok(found)
    }

    /// Whether something is there.
    pub fn has(&self, kind: Kind, path: &[String]) -> bool {
        self.objects.contains(&(kind, path.to_vec()))
    }

    /// Whether a right is given: itself, or by owning the thing.
    pub fn is_granted(&self, grant: &Grant) -> bool {
        let has = |privilege: &str| {
            self.grants.contains(&(
                grant.to.clone(),
                privilege.to_owned(),
                grant.on.sql().to_owned(),
                grant.path.join("."),
            ))
        };
        match grant.on {
            Kind::Role => has(if grant.to_user { "USER" } else { "ROLE" }),
            _ => has(grant.privilege) || has("OWNERSHIP"),
        }
    }

    /// Whether the user is there and has no key at all.
    pub fn has_user_without_key(&self, settings: &Settings) -> bool {
        self.has(Kind::User, std::slice::from_ref(&settings.user)) && self.keys == [None, None]
    }

    /// What a role has been given, and whom it has been given to.
    async fn read_grants(&mut self, account: &impl Account, role: &str) -> Result<(), AccountError> {
        self.add_rights(role, &account.run(&format!("SHOW GRANTS TO ROLE {}", quoted(role)), &[]).await?);
        let answer = account.run(&format!("SHOW GRANTS OF ROLE {}", quoted(role)), &[]).await?;
        for row in rows(&answer) {
            let [grantee, what] = ["grantee_name", "granted_to"].map(|column| row(column).unwrap_or_default());
            self.grants.insert((grantee, what, Kind::Role.sql().to_owned(), role.to_owned()));
        }
        Ok(())
    }

    /// Reads the answer to SHOW GRANTS TO ROLE.
    pub(super) fn add_rights(&mut self, role: &str, answer: &Table) {
        for row in rows(answer) {
            let on = row("granted_on").unwrap_or_default().replace('_', " ");
            let name = row("name").unwrap_or_default().replace('"', "");
            self.grants.insert((role.to_owned(), row("privilege").unwrap_or_default(), on, name));
        }
    }

    async fn read_schema(
        &mut self,
        account: &impl Account,
        settings: &Settings,
        pipeline: &Pipeline,
    ) -> Result<(), AccountError> {
        let schema = vec![pipeline.snowflake.database.clone(), pipeline.snowflake.schema.clone()];
        let answer = show(account, Kind::Schema, &schema).await?;
        let Some(row) = named(&answer, &pipeline.snowflake.schema) else { return Ok(()) };
        self.add(Kind::Schema, schema, cell(&answer, row, "owner"), settings);
        let makes = sections(pipeline, settings).into_iter().flat_map(|section| section.steps);
        let paths = Paths::of(pipeline);
        for object in makes.filter_map(|step| match step {
            Step::Make(object) if object.path.len() == 3 => Some(object),
            _ => None,
        }) {
            let answer = show(account, object.kind, &object.path).await?;
            let Some(row) = named(&answer, &object.path[2]) else { continue };
            match object.kind {
                Kind::Stage => self.stage_url = cell(&answer, row, "url"),
                Kind::Pipe => self.notification_channel = cell(&answer, row, "notification_channel"),
                Kind::Table => {
                    let columns = columns(account, Kind::Table, &object.path).await?;
                    let deployed = &mut self.deployed;
                    let is_streaming = object.path == paths.streaming;
                    *(if is_streaming { &mut deployed.streaming } else { &mut deployed.microbatch }) = columns;
                }
                Kind::View => {
                    // One whose table has gone cannot be described. It holds nothing, and is replaced.
                    let columns = columns(account, Kind::View, &object.path).await.unwrap_or_default();
                    self.views[usize::from(object.path != paths.streaming_view)] =
                        columns.into_iter().map(|column| column.name).collect();
                }
                _ => {}
            }
            self.add(object.kind, object.path, cell(&answer, row, "owner"), settings);
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, path: Vec<String>, owner: Option<String>, settings: &Settings) {
        if let Some(owner) = owner.filter(|owner| *owner != settings.owner_role) {
            self.foreign.push((kind, path.clone(), owner));
        }
        self.objects.insert((kind, path));
    }
}

/// Fingerprints of a user's two public keys, RSA_PUBLIC_KEY's first.
///
/// # Errors
/// The account refused, or its answer does not say. A key that is not seen must never be taken for none: the next one
/// would be put in its place.
pub async fn public_keys(account: &impl Account, user: &str) -> Result<[Option<String>; 2], AccountError> {
    fingerprints(user, &describe_user(account, user).await?)
}

async fn describe_user(account: &impl Account, user: &str) -> Result<Table, AccountError> {
    account.run(&format!("DESC USER {}", quoted(user)), &[]).await
}

fn fingerprints(user: &str, answer: &Table) -> Result<[Option<String>; 2], AccountError> {
    let said = |name: &str| {
        property(answer, name).ok_or_else(|| AccountError {
            what: format!("failed to see the public keys of user {user}: DESC USER does not show {name}"),
            code: None,
            remedy: Some(format!("log in with a role that owns the user: SHOW GRANTS ON USER {}", quoted(user))),
        })
    };
    Ok([said("RSA_PUBLIC_KEY_FP")?, said("RSA_PUBLIC_KEY_2_FP")?])
}

/// The columns of a table or a view. DESC takes no warehouse, which a query of the catalogue does.
async fn columns(account: &impl Account, kind: Kind, path: &[String]) -> Result<Vec<DeployedColumn>, AccountError> {
    let answer = account.run(&format!("DESC {} {}", kind.sql(), quoted_path(path)), &[]).await?;
    let columns = described(&answer);
    if columns.is_empty() {
        let what = format!("failed to see the columns of {}, which is there", path.join("."));
        let remedy = Some("log in with a role that may see all that LANDFALL_OWNER owns".to_owned());
        return Err(AccountError { what, code: None, remedy });
    }
    Ok(columns)
}

/// What of a kind is called like `path`. LIKE has a `_` for any character, so there may be others.
pub(super) async fn show(account: &impl Account, kind: Kind, path: &[String]) -> Result<Table, AccountError> {
    let (name, within) = path.split_last().map_or(("", path), |(name, within)| (name.as_str(), within));
    let place = match within.len() {
        0 => String::new(),
        1 => format!(" IN DATABASE {}", quoted_path(within)),
        _ => format!(" IN SCHEMA {}", quoted_path(within)),
    };
    account.run(&format!("SHOW {}S LIKE {}{place}", kind.sql(), literal(name)), &[]).await
}

/// The row of a SHOW that is of this very name.
pub(super) fn named(answer: &Table, name: &str) -> Option<usize> {
    (0..answer.rows.len()).find(|&row| cell(answer, row, "name").as_deref() == Some(name))
}

/// A cell by its column's name, which Snowflake gives in lower or upper case. An empty one is none.
pub(super) fn cell(answer: &Table, row: usize, column: &str) -> Option<String> {
    let index = answer.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
    answer.rows.get(row)?.get(index)?.clone().filter(|text| !text.is_empty())
}

fn rows(answer: &Table) -> impl Iterator<Item = impl Fn(&str) -> Option<String>> {
    (0..answer.rows.len()).map(move |row| move |column: &str| cell(answer, row, column))
}

/// A value of DESC, whose rows are properties: inside, `null` is none; outside, an answer that does not say is.
///
/// The column is called `value` for a user and `property_value` for an integration; the documentation says the latter
/// of both.
fn property(answer: &Table, name: &str) -> Option<Option<String>> {
    let is_there = |column: &&str| answer.columns.iter().any(|name| name.eq_ignore_ascii_case(column));
    let column = ["property_value", "value"].into_iter().find(is_there)?;
    let row = (0..answer.rows.len()).find(|&row| cell(answer, row, "property").as_deref() == Some(name))?;
    Some(cell(answer, row, column).filter(|value| value != "null"))
}
