//! What is in an account already.

use std::collections::BTreeSet;

use landfall_core::Pipeline;

use super::{Account, AccountError};
use crate::ddl::{Grant, Kind, Paths, Settings, Step, quoted_path, sections};
use crate::schema_change::{Deployed, deployed_query};
use crate::sql::{literal, quoted};
use crate::table::Table;

/// What a pipeline needs and an account has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What is there, by kind and path.
    pub objects: BTreeSet<(Kind, Vec<String>)>,
    /// Rights that are given: grantee, right, kind and path; a role that is given has none of the right.
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
    /// Who it is in AWS.
    pub iam_user_arn: Option<String>,
}

impl Found {
    /// Asks the account, as its administrator. Takes no warehouse until there is one of the pipeline's.
    ///
    /// # Errors
    /// The account refused a statement.
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
            let user = account.run(&format!("DESC USER {}", quoted(&settings.user)), &[]).await?;
            found.keys = ["RSA_PUBLIC_KEY_FP", "RSA_PUBLIC_KEY_2_FP"].map(|name| property(&user, name, "value"));
        }
        if found.has(Kind::Integration, std::slice::from_ref(&settings.integration)) {
            let answer = account.run(&format!("DESC INTEGRATION {}", quoted(&settings.integration)), &[]).await?;
            let value = |name| property(&answer, name, "property_value");
            found.integration = Some(Integration {
                role_arn: value("STORAGE_AWS_ROLE_ARN").unwrap_or_default(),
                external_id: value("STORAGE_AWS_EXTERNAL_ID").unwrap_or_default(),
                locations: value("STORAGE_ALLOWED_LOCATIONS").unwrap_or_default(),
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
        has(grant.privilege) || (grant.on != Kind::Role && has("OWNERSHIP"))
    }

    /// What a role has been given, and whom it has been given to.
    async fn read_grants(&mut self, account: &impl Account, role: &str) -> Result<(), AccountError> {
        self.add_rights(role, &account.run(&format!("SHOW GRANTS TO ROLE {}", quoted(role)), &[]).await?);
        let answer = account.run(&format!("SHOW GRANTS OF ROLE {}", quoted(role)), &[]).await?;
        for row in rows(&answer) {
            let grantee = row("grantee_name").unwrap_or_default();
            self.grants.insert((grantee, "USAGE".to_owned(), Kind::Role.sql().to_owned(), role.to_owned()));
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
        if named(&show(account, Kind::Schema, &schema).await?, &pipeline.snowflake.schema).is_none() {
            return Ok(());
        }
        self.objects.insert((Kind::Schema, schema));
        let makes = sections(pipeline, settings).into_iter().flat_map(|section| section.steps);
        for object in makes.filter_map(|step| match step {
            Step::Make(object) if object.path.len() == 3 => Some(object),
            _ => None,
        }) {
            let answer = show(account, object.kind, &object.path).await?;
            let Some(row) = named(&answer, &object.path[2]) else { continue };
            match object.kind {
                Kind::Stage => self.stage_url = cell(&answer, row, "url"),
                Kind::Pipe => self.notification_channel = cell(&answer, row, "notification_channel"),
                _ => {}
            }
            self.objects.insert((object.kind, object.path));
        }
        if self.has(Kind::Warehouse, std::slice::from_ref(&settings.warehouse)) {
            // The queries below take one, and the administrator may have none.
            account.run(&format!("USE WAREHOUSE {}", quoted(&settings.warehouse)), &[]).await?;
        }
        self.deployed = Deployed::from_answer(pipeline, &account.run(&deployed_query(pipeline), &[]).await?);
        let paths = Paths::of(pipeline);
        for (columns, view) in self.views.iter_mut().zip([paths.streaming_view, paths.microbatch_view]) {
            let answer = account.run(&view_query(pipeline, &view[2]), &[]).await?;
            *columns = rows(&answer).filter_map(|row| row("COLUMN_NAME")).collect();
        }
        Ok(())
    }
}

/// The columns of a view, in their order.
fn view_query(pipeline: &Pipeline, view: &str) -> String {
    format!(
        "SELECT COLUMN_NAME\nFROM {}.INFORMATION_SCHEMA.COLUMNS\nWHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}\n\
         ORDER BY ORDINAL_POSITION",
        quoted(&pipeline.snowflake.database),
        literal(&pipeline.snowflake.schema),
        literal(view),
    )
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

/// A value of DESC, whose rows are properties; `null` is none.
fn property(answer: &Table, name: &str, column: &str) -> Option<String> {
    let row = (0..answer.rows.len()).find(|&row| cell(answer, row, "property").as_deref() == Some(name))?;
    cell(answer, row, column).filter(|value| value != "null")
}
